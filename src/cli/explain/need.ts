import type { Peer } from '../../api/grpc.ts';
import { ShardReadService } from '../../api/gen/bigfleet/v1alpha1/shardread.ts';
import type { NeedView } from '../../api/gen/bigfleet/v1alpha1/shardread.ts';
import { ShardViewService } from '../../api/gen/bigfleet/v1alpha1/view.ts';
import type { NeedExplanation } from '../../api/gen/bigfleet/v1alpha1/view.ts';
import type { Answer, NeedFlags } from '../explain.ts';
import { integer } from '../flags.ts';
import { withShard } from '../shard-connection.ts';
import { needJson } from './json.ts';
import type { ExplainedNeed } from './json.ts';
import { needText } from './text.ts';

/** Rows that the shard has a verdict on, highest priority first. Cycle 0 = no plan was made yet. */
export async function inspect(peer: Peer, clusterId: string, fits: (need: NeedView) => boolean, timeoutMs: number): Promise<{ cycle: number; needs: NeedView[] }> {
  const needs: NeedView[] = [];
  let cycle = 0;
  for await (const { frame } of peer.serverStream(ShardReadService.inspectNeeds, { clusterId, limit: 0 }, { timeoutMs })) {
    if (frame?.$case === 'header') cycle = Number(frame.value.cycle);
    if (frame?.$case === 'need' && fits(frame.value)) needs.push(frame.value);
  }
  return { cycle, needs };
}

/** The record of just that row: its sentence also when it is satisfied, its machines, and who is ahead of it. */
export async function explainRow(peer: Peer, need: NeedView, timeoutMs: number): Promise<NeedExplanation | undefined> {
  const { needs } = await peer.unary(
    ShardViewService.explainNeed,
    { clusterId: need.clusterId, fingerprint: need.profileFingerprint, group: need.need?.group ?? '', matchGroup: true, minUnit: need.need?.minUnit ?? new Map(), machineLimit: 0 },
    { timeoutMs },
  );
  return needs[0];
}

/** Undefined where the shard knows nothing of it; other troubles are thrown. */
export async function unlessUnknown<T>(answer: Promise<T>): Promise<T | undefined> {
  const { GrpcCode, GrpcError } = await import('../../api/grpc.ts');
  return answer.catch((error: unknown) => {
    if (error instanceof GrpcError && error.code === GrpcCode.NOT_FOUND) return undefined;
    throw error;
  });
}

/** Throws if no row fits the flags. */
export async function explainNeeds(flags: NeedFlags): Promise<Answer> {
  const limit = integer('--limit', flags.limit, { min: 1, max: 1_000 });
  const fits = (need: NeedView): boolean =>
    (flags.fingerprint === undefined || need.profileFingerprint.startsWith(flags.fingerprint)) &&
    (flags.group === undefined || need.need?.group === flags.group) &&
    (flags.unmet !== true || !need.satisfied);
  return withShard(flags, async (peer, timeoutMs) => {
    const { cycle, needs } = await inspect(peer, flags.cluster ?? '', fits, timeoutMs);
    if (cycle === 0) throw new Error('the shard has made no plan yet; ask again in a moment');
    // Whoever asks for what is unmet is glad to hear that nothing is; who asks for a demand that is not there has mistyped it.
    if (needs.length === 0 && flags.unmet !== true) throw new Error(nothing(flags));
    const shown: ExplainedNeed[] = [];
    for (const need of needs.slice(0, limit)) {
      // Between the two questions a row may have been withdrawn: then what the first one said stands.
      const explained = await explainRow(peer, need, timeoutMs).catch(() => undefined);
      shown.push({ need: explained?.need ?? need, sentence: explained?.why?.text ?? need.reasonText, ...(explained && { explained }) });
    }
    const more = needs.length - shown.length;
    return {
      text: needs.length === 0 ? nothing(flags) : [...shown.map(({ need, sentence, explained }) => needText(need, sentence, explained)), ...(more > 0 ? [`… and ${String(more)} more (--limit)`] : [])].join('\n\n'),
      json: {
        kind: 'NeedExplanations',
        cycle,
        total: needs.length,
        needs: shown.map(needJson),
      },
    };
  });
}

function nothing({ cluster, fingerprint, group, unmet }: NeedFlags): string {
  const asked = [cluster && `of cluster ${cluster}`, fingerprint && `with fingerprint ${fingerprint}`, group && `of group ${group}`].filter(Boolean).join(' ');
  return `the shard has ${unmet === true ? 'no unmet demand' : 'no demand'}${asked ? ` ${asked}` : ''}`;
}
