import type { Peer } from '../../api/grpc.ts';
import { unitClass } from '../../api/profile.ts';
import { parseResources } from '../../api/resource-vector.ts';
import type { NeedView } from '../../api/gen/bigfleet/v1alpha1/shardread.ts';
import type { CapacityRequest } from '../../api/types.ts';
import { compareText } from '../../lib/compare-text.ts';
import { contributionOf, isRejection } from '../../operator/contribution.ts';
import type { RowIdentity } from '../../operator/contribution.ts';
import type { Chain } from './chain.ts';
import type { ExplainedNeed } from './json.ts';
import { explainRow, inspect, unlessUnknown } from './need.ts';
import type { PodCluster } from './pod-cluster.ts';

/** What the shard says of the row that the request belongs to: of the Pod's own cluster only. */
export async function verdictsOn(request: CapacityRequest, cluster: PodCluster | undefined, peer: Peer, timeoutMs: number, chain: Chain): Promise<ExplainedNeed[]> {
  const contribution = contributionOf(request);
  if (isRejection(contribution)) {
    chain.missing('row', `what it asks for cannot be expressed and is left out (${contribution.field}: ${contribution.problem})`);
    return [];
  }
  const { row } = contribution;
  chain.found('row', `demand ${row.fingerprint}, priority ${String(row.profile.priority)}${row.group === '' ? '' : `, group ${row.group}`}`);
  const { cycle, needs } = await inspect(peer, cluster?.id ?? '', (need) => isOf(row, need), timeoutMs);
  if (needs.length === 0) {
    chain.missing('verdict', cycle === 0 ? 'the shard has made no plan yet' : `the shard has no such demand of ${cluster ? `cluster ${cluster.id}` : 'any cluster'}: not reported yet (operator running and connected?), or another shard's (--shard)`);
    return [];
  }
  if (!cluster) {
    const ids = [...new Set(needs.map((need) => need.clusterId))].sort(compareText);
    chain.missing('verdict', `which cluster this is is not known: pass --cluster NAME; clusters that ask for just this: ${ids.join(', ')}`);
    return [];
  }
  const verdicts: ExplainedNeed[] = [];
  for (const need of needs) {
    const explained = await unlessUnknown(explainRow(peer, need, timeoutMs));
    verdicts.push({ need: explained?.need ?? need, sentence: explained?.why?.text ?? need.reasonText, ...(explained && { explained }) });
  }
  chain.found('verdict', verdicts.map(({ need, sentence }) => `cluster ${need.clusterId}: ${sentence}`).join(' · '));
  return verdicts;
}

function isOf(row: RowIdentity, { profileFingerprint, need }: NeedView): boolean {
  if (profileFingerprint !== row.fingerprint || need?.group !== row.group) return false;
  return row.group !== '' || unitClass(parseResources(need.minUnit, 'up')) === row.unitClass;
}
