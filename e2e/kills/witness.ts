/** One line of the provider's operation log. */
export type OperationLine =
  | { readonly event: 'state'; readonly t: number; readonly machineId: string; readonly from: string; readonly to: string; readonly clusterId: string }
  | {
    readonly event: 'call'; readonly t: number; readonly machineId: string; readonly rpc: string; readonly outcome: string;
    readonly shardId: string; readonly epoch: string; readonly sequence: string;
  };

/** One line of the shard's audit log. */
export interface AuditLine {
  readonly time: string;
  readonly kind: string;
  readonly machine: string;
  readonly outcome: string;
}

interface Known {
  state: string;
  cluster: string;
}

const BOUND: ReadonlySet<string> = new Set(['Configuring', 'Configured', 'Draining']);
const TAKING: ReadonlySet<string> = new Set(['Reclaim', 'Preempt', 'Delete']);
/** The provider says a Drain right after the shard has written why; their clocks are one, but rounded differently. */
const SKEW_MS = 5;

/**
 * What the provider's own log and the audit log say against the shard, in words, whoever was killed in between; both are
 * written before what they tell of is answered or done. Nothing: no machine was bound to two clusters or twice, none was
 * drained without a decision since it was given to its cluster, and no call was obeyed under a token below an earlier one.
 */
export function accusations(operations: readonly OperationLine[], audit: readonly AuditLine[]): string[] {
  const found: string[] = [];
  const known = new Map<string, Known>();
  const configuredAt = new Map<string, number>();
  const tokens = new Map<string, readonly [bigint, bigint]>();
  const takings = takingsOf(audit);
  for (const line of operations) {
    const { machineId, t } = line;
    const at = `${machineId} at ${new Date(t).toISOString()}`;
    if (line.event === 'state') {
      const before = known.get(machineId);
      // A provider that was started again says of every machine how it stands: `from` and `to` are the same.
      const isBinding = line.to === 'Configuring' && line.from !== line.to;
      if (before && BOUND.has(before.state) && BOUND.has(line.to) && line.clusterId !== before.cluster) found.push(`${at}: ${line.to} in ${line.clusterId}, and it was ${before.state} in ${before.cluster}`);
      else if (isBinding && before && BOUND.has(before.state)) found.push(`${at}: bound a second time to ${line.clusterId}`);
      known.set(machineId, { state: line.to, cluster: line.clusterId });
      continue;
    }
    if (line.outcome !== 'OK') continue;
    const token = [BigInt(line.epoch), BigInt(line.sequence)] as const;
    const key = `${line.shardId} ${machineId}`;
    const mark = tokens.get(key);
    if (mark && isBelow(token, mark)) found.push(`${at}: ${line.rpc} obeyed under ${token.join('/')}, after ${mark.join('/')}`);
    else tokens.set(key, token);
    if (line.rpc === 'Configure') configuredAt.set(machineId, t);
    if (line.rpc === 'Drain') {
      const since = configuredAt.get(machineId) ?? 0;
      if (!(takings.get(machineId) ?? []).some((time) => time >= since && time <= t + SKEW_MS)) found.push(`${at}: drained, and the audit log has no decision to take it since it was configured`);
    }
  }
  return found;
}

function takingsOf(audit: readonly AuditLine[]): Map<string, number[]> {
  const takings = new Map<string, number[]>();
  for (const { time, kind, machine, outcome } of audit) {
    if (outcome !== 'decided' || !TAKING.has(kind)) continue;
    takings.set(machine, [...(takings.get(machine) ?? []), Date.parse(time)]);
  }
  return takings;
}

function isBelow(token: readonly [bigint, bigint], mark: readonly [bigint, bigint]): boolean {
  return token[0] === mark[0] ? token[1] < mark[1] : token[0] < mark[0];
}
