import type { MachineRecord } from '../../shard/record.ts';
import type { Step } from './next-step.ts';

/**
 * Pure: what has to change before what was decided about the machine is begun, in words; undefined = it is begun, or ends by
 * itself. `inactive`: why nothing is begun at present.
 */
export function standstillOf(step: Step, { intent, seen }: Pick<MachineRecord, 'intent' | 'seen'>, inactive: string): string | undefined {
  if (step.do !== 'wait' || !intent) return undefined;
  const cluster = intent.kind === 'bind' ? intent.to.cluster : seen.cluster;
  switch (step.for) {
    case 'mode':
      return inactive;
    case 'session':
      return `cluster ${cluster} is not connected`;
    case 'lease':
      return 'the shard cannot prove at present that it holds its Lease';
    case 'hold':
      return 'a person holds it';
    case 'demand': // that the cluster has not reported yet is what the plan says of it
    case 'provider':
    case 'cooldown':
    case 'doubt':
      return undefined;
  }
}
