/** Who wrote what, by the audit log of an API server: the components' own counters are not asked. */

/** Everything that writes; who only reads is not written down. */
export const WRITES_ONLY = JSON.stringify({
  apiVersion: 'audit.k8s.io/v1', kind: 'Policy', omitStages: ['RequestReceived', 'ResponseStarted'],
  rules: [{ level: 'None', verbs: ['get', 'list', 'watch'] }, { level: 'Metadata' }],
});

interface AuditEvent {
  readonly verb?: string;
  readonly userAgent?: string;
  readonly objectRef?: { readonly resource?: string; readonly subresource?: string; readonly name?: string };
}

/** Processes of ours by the name with which they introduce themselves. */
const OURS = ['bigfleet-operator', 'bigfleet-unschedulable-pod-controller', 'bigfleet-shard'] as const;

export class ApiWrites {
  private readonly counts = new Map<string, Map<string, number>>();

  /** One line of the log. Writes of Leases, which come with time and not with work, are left out. */
  take(line: unknown): void {
    const { verb, userAgent = '', objectRef } = line as AuditEvent;
    const by = OURS.find((name) => userAgent.startsWith(name));
    const { resource, subresource } = objectRef ?? {};
    if (by === undefined || verb === undefined || resource === undefined || resource === 'leases') return;
    const what = `${verb} ${resource}${subresource === undefined ? '' : `/${subresource}`}`;
    const counts = this.counts.get(by) ?? new Map<string, number>();
    this.counts.set(by, counts.set(what, (counts.get(what) ?? 0) + 1));
  }

  /** By process, then by verb and resource, the most frequent first. */
  byProcess(): Record<string, Record<string, number>> {
    return Object.fromEntries([...this.counts].sort().map(([by, counts]) => [by, Object.fromEntries([...counts].sort(([, a], [, b]) => b - a))]));
  }

  /** Of CapacityRequests, by whomever. */
  get ofRequests(): number {
    return this.count((resource) => resource === 'capacityrequests');
  }

  /** Of what there is for single Pods: requests and the operator's events. */
  get ofPods(): number {
    return this.ofRequests + this.count((resource, by) => resource === 'events' && by === 'bigfleet-operator');
  }

  get total(): number {
    return this.count(() => true);
  }

  private count(counts: (resource: string, by: string) => boolean): number {
    let sum = 0;
    for (const [by, writes] of this.counts) for (const [what, n] of writes) if (counts(what.split(/[ /]/)[1] ?? '', by)) sum += n;
    return sum;
  }
}
