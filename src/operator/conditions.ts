import type { Condition } from '../api/types.ts';

export interface Finding {
  readonly type: string;
  readonly status: Condition['status'];
  readonly reason: string;
  readonly message: string;
}

/** The conditions after `findings`: others stay, the transition time moves only with the status. */
export function withConditions(current: readonly Condition[] | undefined, findings: readonly Finding[], now: string): Condition[] {
  const next = new Map((current ?? []).map((c) => [c.type, c]));
  for (const finding of findings) {
    const before = next.get(finding.type);
    next.set(finding.type, { ...finding, lastTransitionTime: before?.status === finding.status ? before.lastTransitionTime : now });
  }
  return [...next.values()];
}

/** RFC 3339 with whole seconds, as Kubernetes writes its times. */
export function timestamp(unixMs: number): string {
  return new Date(unixMs).toISOString().replace(/\.\d{3}Z$/, 'Z');
}
