import { ShardViewService } from '../../api/gen/bigfleet/v1alpha1/view.ts';
import { withShard } from '../shard-connection.ts';
import type { ShardFlags } from '../shard-connection.ts';
import type { Answer } from '../explain.ts';
import { plain, sentenceOfMachine } from './json.ts';
import { machineText } from './text.ts';

/** Throws if the shard does not know it. */
export async function explainMachine(id: string, flags: ShardFlags): Promise<Answer> {
  const { machine, creditedTo, cycle } = await withShard(flags, (peer, timeoutMs) => peer.unary(ShardViewService.explainMachine, { machineId: id }, { timeoutMs }));
  if (!machine) throw new Error(`the shard knows no machine ${id}`);
  return {
    text: machineText(machine, creditedTo),
    json: { kind: 'MachineExplanation', cycle: Number(cycle), sentence: sentenceOfMachine(machine), machine: plain(machine), serves: plain(creditedTo) },
  };
}
