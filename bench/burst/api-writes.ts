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

  get total(): number {
    return [...this.counts.values()].flatMap((counts) => [...counts.values()]).reduce((sum, n) => sum + n, 0);
  }
}
