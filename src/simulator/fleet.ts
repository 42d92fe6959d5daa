/** All machines of the simulated world, and the transitions they are in. */
import { byId } from './order.ts';
import { begin, end } from './machine-life.ts';
import type { Transition } from './machine-life.ts';
import type { EngineMachine, MachineState, Millis } from '../engine/types.ts';

/** How long one transition of one machine takes; 0 = it is over before the next decision. */
export type Dwell = (machine: EngineMachine, transition: Transition) => Millis;

/** What others must hear of at once. */
export interface FleetEvents {
  readonly changed: (machine: EngineMachine) => void;
  readonly draining: (machine: EngineMachine) => void;
  readonly configured: (machine: EngineMachine) => void;
}

const FREE: readonly MachineState[] = ['Speculative', 'Failed'];

export class Fleet {
  readonly #machines = new Map<string, EngineMachine>();
  readonly #due = new Map<string, Millis>();
  readonly #dwell: Dwell;
  readonly #events: FleetEvents;
  readonly #byState = new Map<MachineState, number>();
  #expected: number;
  #rate = 0;
  #rateInUse = 0;

  constructor(machines: readonly EngineMachine[], dwell: Dwell, events: FleetEvents) {
    this.#dwell = dwell;
    this.#events = events;
    for (const machine of machines) {
      if (this.#machines.has(machine.id)) throw new Error(`two machines are called "${machine.id}"`);
      this.#machines.set(machine.id, machine);
      this.#count(machine, 1);
    }
    this.#expected = machines.length;
  }

  get(id: string): EngineMachine {
    const machine = this.#machines.get(id);
    if (machine === undefined) throw new Error(`there is no machine "${id}"`);
    return machine;
  }

  all(): IterableIterator<EngineMachine> {
    return this.#machines.values();
  }

  /** Of all machines that cost money now. */
  get microUsdPerHour(): number {
    return this.#rate;
  }

  /** The same without the fleet's own machines that stand Idle: those are paid for whatever is decided. */
  get microUsdPerHourInUse(): number {
    return this.#rateInUse;
  }

  count(...states: readonly MachineState[]): number {
    return states.reduce((sum, state) => sum + (this.#byState.get(state) ?? 0), 0);
  }

  ownerOf(id: string): string | undefined {
    const machine = this.#machines.get(id);
    return machine?.state === 'Configured' ? machine.cluster : undefined;
  }

  /** Configured machines of a cluster, by id. */
  configuredOf(cluster: string): EngineMachine[] {
    return [...this.#machines.values()].filter((m) => m.state === 'Configured' && m.cluster === cluster).sort(byId);
  }

  /** Machines decided for a cluster that are not Configured yet. */
  comingTo(cluster: string): EngineMachine[] {
    return [...this.#machines.values()].filter((m) => m.state === 'Configuring' ? m.cluster === cluster : m.intent?.kind === 'bind' && m.intent.to.cluster === cluster);
  }

  put(machine: EngineMachine): void {
    const before = this.get(machine.id);
    if (before === machine) return;
    this.#count(before, -1);
    this.#machines.set(machine.id, machine);
    this.#count(machine, 1);
    this.#events.changed(machine);
  }

  /** The machine is gone for good, whatever it was doing. */
  remove(id: string): void {
    this.#count(this.get(id), -1);
    this.#machines.delete(id);
    this.#due.delete(id);
    this.#expected--;
  }

  /** Ends every transition that is due; machines that were about to do something begin it. */
  mature(now: Millis): void {
    for (const [id, due] of [...this.#due]) if (due <= now) this.advance(id, now);
  }

  /** Takes one machine as far as it gets at this moment. */
  advance(id: string, now: Millis): void {
    for (;;) {
      const machine = this.get(id);
      const begun = begin(machine);
      if (begun) {
        this.#due.set(id, now + this.#dwell(machine, begun.transition));
        this.put(begun.machine);
        if (begun.transition === 'drain') this.#events.draining(begun.machine);
        continue;
      }
      const ended = end(machine);
      if (ended === undefined || (this.#due.get(id) ?? now) > now) return;
      this.#due.delete(id);
      this.put(ended);
      if (ended.state === 'Configured') this.#events.configured(ended);
    }
  }

  check(): void {
    if (this.#machines.size !== this.#expected) throw new Error(`there are ${this.#machines.size} machines, there should be ${this.#expected}`);
    for (const machine of this.#machines.values()) {
      const owned = machine.state === 'Configured' || machine.state === 'Configuring' || machine.state === 'Draining';
      if (owned !== (machine.cluster !== '')) throw new Error(`machine "${machine.id}" is ${machine.state} and belongs to "${machine.cluster}"`);
    }
  }

  #count(machine: EngineMachine, by: 1 | -1): void {
    this.#byState.set(machine.state, (this.#byState.get(machine.state) ?? 0) + by);
    if (FREE.includes(machine.state)) return;
    this.#rate += by * machine.priceMicroUsdPerHour;
    if (machine.state !== 'Idle' || machine.capacityType === 'OnDemand' || machine.capacityType === 'Spot') this.#rateInUse += by * machine.priceMicroUsdPerHour;
  }
}
