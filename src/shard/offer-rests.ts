import type { Millis } from '../engine/types.ts';
import type { Clock } from '../lib/clock.ts';
import { inTurns } from '../lib/turns.ts';
import { failureClass } from '../provider/failure-class.ts';
import type { FailureClass } from '../provider/failure-class.ts';
import type { ProviderMachine } from '../provider/provider-machine.ts';
import type { Log } from '../runtime/types.ts';
import type { Inventory, InventoryChange } from './inventory.ts';
import type { Rests } from './rests.ts';

/** So many slots of one offer refused in a row, for whatever reason: it is the offer. */
const SAME_OFFER = 3;
/** For so long one slot of an offer is to be had by itself when its rest is over; demand that needs several at once cannot be tried with one. */
const TRIAL_MS = 30_000;

/** Of a provider that does not answer them, all that such a call would be needed for rests like one offer. */
type Unanswered = 'Create' | 'Configure';
const EVERYTHING: Readonly<Record<Unanswered, string>> = { Create: '*Create', Configure: '*Configure' };

export interface RestingOffer {
  /** Instance type, zone and capacity type. */
  readonly offer: string;
  readonly kind: FailureClass;
  /** The provider's. */
  readonly words: string;
  /** Wall time. */
  readonly until: Millis;
}

export interface OfferRestsOptions {
  readonly clock: Clock;
  /** The machines of the provider. */
  readonly inventory: Pick<Inventory, 'get' | 'all' | 'update' | 'setIntent'>;
  readonly rests: Rests;
  readonly log: Log;
}

/**
 * Offers that are not to be had for a while. A provider that is out of stock, or out of quota, would refuse every slot of
 * that kind: so all of them rest, and what was bound to them and not begun is decided anew, elsewhere (spec: engine 20). Then one
 * slot tries first, and the others follow when its Create has succeeded.
 */
export class OfferRests {
  private readonly options: OfferRestsOptions;
  /** Creates refused in a row, by offer. */
  private readonly refusals = new Map<string, number>();
  private readonly resting = new Map<string, RestingOffer>();
  /** Until when one slot is to be had by itself, by offer. */
  private readonly trials = new Map<string, Millis>();

  constructor(options: OfferRestsOptions) {
    this.options = options;
  }

  get count(): number {
    return this.list().length;
  }

  list(): readonly RestingOffer[] {
    return [...this.resting.values()].filter(({ offer }) => !isEverything(offer));
  }

  /** A Create of the machine was refused, or came to nothing. For how many milliseconds its offer rests; 0 = it does not. */
  refused(machine: ProviderMachine, kind: FailureClass, words: string): number {
    const offer = offerOf(machine);
    const inARow = (this.refusals.get(offer) ?? 0) + 1;
    this.refusals.set(offer, inARow);
    if (kind !== 'OutOfStock' && kind !== 'Quota' && inARow < SAME_OFFER) return 0;
    const { clock, rests, log } = this.options;
    const isNew = !this.resting.has(offer);
    const ms = rests.failed(offer);
    if (!isNew) return ms;
    log.warn({ offer, class: kind, error: words, restMs: ms }, 'an offer is not to be had: its slots rest, and what was meant for them is decided anew');
    this.rest({ offer, kind, words, until: clock.now() + ms }, ms, TRIAL_MS);
    return ms;
  }

  /** Calls of the kind are not answered: nothing that they would be needed for is to be had for so long; then one of each offer tries for so long. */
  unanswered(call: Unanswered, machineId: string, restMs: number, trialMs: number): void {
    const offer = EVERYTHING[call];
    const resting = this.resting.get(offer);
    if (resting) this.restSlot(machineId, resting.until);
    else this.rest({ offer, kind: 'Unknown', words: '', until: this.options.clock.now() + restMs }, restMs, trialMs);
  }

  /** They are answered again. */
  answered(call: Unanswered): void {
    const offer = EVERYTHING[call];
    const resting = this.resting.get(offer);
    this.resting.delete(offer);
    if (resting) void this.forSlots(offer, (id) => this.wakeSlot(id, resting.until));
    this.open(offer);
  }

  private rest(resting: RestingOffer, ms: number, trialMs: number): void {
    const { offer, until } = resting;
    this.trials.delete(offer);
    this.resting.set(offer, resting);
    void this.forSlots(offer, (id) => this.restSlot(id, until));
    this.options.clock.after(ms, () => {
      if (this.resting.get(offer) !== resting) return;
      this.resting.delete(offer);
      this.tryOne(offer, until, trialMs);
    });
  }

  /** Feed it every change: Creates end on their own, and slots of a resting offer may come anew. */
  observe({ before, after }: InventoryChange): void {
    if (!after) return;
    const { state } = after.seen;
    if (before?.seen.state === 'Creating' && state !== 'Creating') {
      const kind = failureClass(after.seen.lastError);
      // Asked too much, the provider has said nothing of what it has.
      if (state === 'Failed' && kind !== 'Throttled') this.refused(after.seen, kind, after.seen.lastError);
      else if (state === 'Idle') this.succeeded(after.seen);
    }
    if (before?.seen.state === state) return;
    for (const offer of offersOf(after.seen)) {
      const until = this.resting.get(offer)?.until ?? this.trials.get(offer);
      if (until !== undefined) this.restSlot(after.seen.id, until);
    }
  }

  private succeeded(machine: ProviderMachine): void {
    const offer = offerOf(machine);
    this.refusals.delete(offer);
    // One that was accepted before the refusal says nothing about now.
    if (this.resting.has(offer)) return;
    this.options.rests.succeeded(offer);
    this.open(offer);
  }

  /** What is still not to be had must not be asked of every slot at once. */
  private tryOne(offer: string, until: Millis, trialMs: number): void {
    const { clock, inventory } = this.options;
    const end = clock.now() + trialMs;
    this.trials.set(offer, end);
    const tried = new Set<string>();
    void this.forSlots(offer, (id) => {
      const machine = inventory.get(id);
      if (machine?.coolUntil !== until || this.resting.has(offer)) return;
      const isOver = this.trials.get(offer) !== end;
      const kind = offerOf(machine.seen);
      if (!isOver && (tried.has(kind) || machine.hold)) return inventory.update(id, { coolUntil: end });
      tried.add(kind);
      this.wakeSlot(id, until);
    });
    clock.after(trialMs, () => {
      if (this.trials.get(offer) === end) this.open(offer);
    });
  }

  private open(offer: string): void {
    const end = this.trials.get(offer);
    if (end === undefined) return;
    this.trials.delete(offer);
    void this.forSlots(offer, (id) => this.wakeSlot(id, end));
  }

  private restSlot(id: string, until: number): void {
    const { inventory } = this.options;
    const machine = inventory.get(id);
    if (!machine || machine.busy) return;
    // First the rest: whoever hears that nothing is decided any more must not decide the same again.
    if (machine.coolUntil < until) inventory.update(id, { coolUntil: until });
    // A Configure that was sent may be carried out all the same: the machine stays promised, and counts for nobody while it rests.
    if (machine.intent?.kind === 'bind' && !(machine.seen.state === 'Idle' && machine.intent.configureSent)) inventory.setIntent(id, undefined);
  }

  private wakeSlot(id: string, until: number): void {
    if (this.options.inventory.get(id)?.coolUntil === until) this.options.inventory.update(id, { coolUntil: 0 });
  }

  private forSlots(offer: string, visit: (id: string) => void): Promise<void> {
    return inTurns(this.options.inventory.all(), ({ seen }) => {
      if (offersOf(seen).includes(offer)) visit(seen.id);
    });
  }
}

/** What of what can rest the machine belongs to, as it is now. */
function offersOf(machine: ProviderMachine): readonly string[] {
  if (machine.state === 'Speculative') return [offerOf(machine), EVERYTHING.Create];
  return machine.state === 'Idle' ? [EVERYTHING.Configure] : [];
}

function isEverything(offer: string): boolean {
  return offer === EVERYTHING.Create || offer === EVERYTHING.Configure;
}

function offerOf({ instanceType, zone, capacityType }: ProviderMachine): string {
  return `${instanceType}/${zone}/${capacityType}`;
}
