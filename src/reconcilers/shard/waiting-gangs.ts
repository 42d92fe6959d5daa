import { ANY_GANG } from '../../engine/facts/need-row.ts';
import { arrivalKey } from '../../engine/keys.ts';
import type { Action } from '../../engine/types.ts';

/**
 * Gangs for which something is not taken that was decided for them: they cannot be whole, so nothing is got for them either
 * (D7). Known by cluster and profile, which is all that a preemption tells: gangs alike wait together.
 */
export class WaitingGangs {
  private readonly waiting = new Set<string>();

  /** The action is not carried out. */
  notDone({ reason }: Action): void {
    if (reason.code === 'Preempted') this.waiting.add(arrivalKey(reason.forCluster, reason.fingerprint, ''));
  }

  /** Whether the action gets something for one of them. A gang that shares a machine with others is whole on that one. */
  has({ to, need }: Action): boolean {
    if (this.waiting.size === 0 || !to || !need || to.group === ANY_GANG) return false;
    return need.profile.requirements.some(({ operator }) => operator === 'Same') && this.waiting.has(arrivalKey(need.cluster, need.fingerprint, ''));
  }
}
