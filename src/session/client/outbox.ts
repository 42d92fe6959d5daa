import type { BootstrapBlobResponse, OperatorMessage, ReclaimAck } from '../../api/gen/bigfleet/v1alpha1/shard.ts';
import type { BuiltRollup } from './types.ts';

export const RESPONSE_CAPACITY = 256;

export type Response =
  | { readonly $case: 'bootstrapResponse'; readonly value: BootstrapBlobResponse }
  | { readonly $case: 'reclaimAck'; readonly value: ReclaimAck };

export interface Outgoing {
  readonly message: OperatorMessage;
  /** Set when the message is a roll-up. */
  readonly rollup?: BuiltRollup;
}

/**
 * What waits to be written (spec: cluster-operator 4.4): one roll-up, of which only the newest matters, and a bounded
 * queue of answers. Memory is bounded whatever the peer does; the two are served in turn.
 */
export class Outbox {
  private rollup: BuiltRollup | undefined;
  private readonly responses: Response[] = [];
  private rollupTurn = true;
  private readonly capacity: number;

  constructor(capacity: number = RESPONSE_CAPACITY) {
    this.capacity = capacity;
  }

  get queuedResponses(): number {
    return this.responses.length;
  }

  /** Never fails and never grows: an unsent older roll-up is forgotten. */
  putRollup(rollup: BuiltRollup): void {
    this.rollup = rollup;
  }

  /** False when the queue is full: the new answer is dropped, because the shard asks again on its own timeout. */
  putResponse(response: Response): boolean {
    if (this.responses.length >= this.capacity) return false;
    this.responses.push(response);
    return true;
  }

  next(): Outgoing | undefined {
    const first = this.rollupTurn ? this.takeRollup() : this.takeResponse();
    const taken = first ?? (this.rollupTurn ? this.takeResponse() : this.takeRollup());
    if (taken) this.rollupTurn = taken.rollup === undefined;
    return taken;
  }

  private takeRollup(): Outgoing | undefined {
    const rollup = this.rollup;
    if (!rollup) return undefined;
    this.rollup = undefined;
    return { message: { payload: { $case: 'rollup', value: rollup.message } }, rollup };
  }

  private takeResponse(): Outgoing | undefined {
    const response = this.responses.shift();
    return response && { message: { payload: response } };
  }
}
