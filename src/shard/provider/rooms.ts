import type { CapacityProvider } from '../../api/types.ts';
import { sleep } from '../../lib/clock.ts';
import { inTurns } from '../../lib/turns.ts';
import type { Runnable } from '../../runtime/types.ts';
import type { InventoryChange } from '../inventory.ts';
import type { ProviderSight } from '../status-publisher.ts';
import { createActuation } from './actuation.ts';
import type { Actuation, ActuationOptions } from './actuation.ts';
import { Crew } from './crew.ts';
import { ProviderRoom } from './room.ts';
import type { RoomOptions } from './room.ts';

export interface RoomsOptions {
  readonly room: Omit<RoomOptions, 'isOnly' | 'onReliance' | 'onNotBegun'>;
  readonly actuation: ActuationOptions;
  /** Once one provider has listed, the others are waited for so long before the first plan; 15 s if absent. */
  readonly patienceMs?: number;
  /** Which providers can be relied on may have changed. */
  readonly onReliance: () => void;
  /** From now on every provider's List is believed and fresh. */
  readonly onTrusted: () => void;
}

const PATIENCE_MS = 15_000;
const LOOK_MS = 50;

/**
 * The providers of a shard, each in a room of its own, and which of them has a machine. A provider that cannot be relied on
 * while others are there is set aside: what it has counts as last known, nothing of it is taken away, and nothing is chosen.
 */
export class ProviderRooms {
  /** What keeps the providers' word up to date, and what carries out decisions: also for providers that come later. */
  readonly supply: Runnable;
  readonly actuation: Runnable;
  private readonly options: RoomsOptions;
  private readonly suppliers = new Crew('providers');
  private readonly actuators = new Crew('machines');
  private readonly byName = new Map<string, { readonly room: ProviderRoom; readonly actuation: Actuation }>();
  /** Names of those that are set aside. */
  private readonly aside = new Set<string>();
  private wereTrusted = false;
  private wereUnseen = '';

  constructor(objects: readonly CapacityProvider[], options: RoomsOptions) {
    this.options = options;
    this.supply = this.suppliers;
    this.actuation = this.actuators;
    for (const object of objects) this.open(object, objects.length === 1 ? 'machine' : `machine/${object.metadata.name}`);
    this.reconsider();
  }

  get size(): number {
    return this.byName.size;
  }

  /** By name. */
  *all(): Iterable<ProviderRoom> {
    for (const { room } of this.byName.values()) yield room;
  }

  named(name: string): ProviderRoom | undefined {
    return this.byName.get(name)?.room;
  }

  /** Who has the machine; undefined: nobody that is known. */
  of(machineId: string): ProviderRoom | undefined {
    const machine = this.options.room.inventory.get(machineId);
    return machine && this.named(machine.provider);
  }

  /** Another CapacityProvider names this shard. What the objects describe of its machines counts from now on. */
  add(object: CapacityProvider): void {
    if (this.byName.has(object.metadata.name)) return;
    this.options.room.log.info({ provider: object.metadata.name, address: object.spec.address }, 'another provider for this shard');
    this.open(object, `machine/${object.metadata.name}`).recall();
    this.judge();
  }

  /** There may be something to do about the machine. */
  enqueue(machineId: string): void {
    this.actuationOf(machineId)?.controller.enqueue(machineId);
  }

  /** Whether anything may be begun about the machine has changed: that is told at once, whatever is waited for with it. */
  reconsiderMachine(machineId: string): void {
    this.actuationOf(machineId)?.remark(machineId);
    this.enqueue(machineId);
  }

  /** Feed it every change of the inventory, before anybody else. */
  observe(change: InventoryChange): void {
    const owner = (change.after ?? change.before)?.provider ?? '';
    this.named(owner)?.observe(change);
    if (change.after) return;
    // Whoever was refused the id may have it now; only a full List names it again.
    for (const room of this.all()) if (room.holdings.disputed.has(change.id)) room.poller.listFully();
  }

  /** Some CapacityProvider has changed. */
  look(): void {
    for (const room of this.all()) room.look();
    const unseen = JSON.stringify([...this.unseen]);
    if (unseen === this.wereUnseen) return;
    this.wereUnseen = unseen; // a person has confirmed that they are gone, or taken the object away
    this.options.onReliance();
  }

  /** Machines may have become ours of which no List of changes speaks. */
  listFully(): void {
    for (const room of this.all()) room.poller.listFully();
  }

  /** What the objects say of the machines, by id. */
  recall(): void {
    for (const room of this.all()) room.recall();
  }

  /** Every provider's List is believed and fresh. */
  get areTrusted(): boolean {
    return [...this.all()].every((room) => room.trusted);
  }

  /** Something may be taken away by what at least one of them says. */
  get isSomeTrusted(): boolean {
    return [...this.all()].some((room) => room.trusted);
  }

  /** How many machines that served are not seen yet, by provider (see `ProviderRoom.unseen`). While there are any nothing is acquired. */
  get unseen(): ReadonlyMap<string, number> {
    return new Map([...this.all()].flatMap((room) => (room.unseen > 0 ? [[room.name, room.unseen] as const] : [])));
  }

  /** Names of those that are set aside. */
  get setAside(): ReadonlySet<string> {
    return this.aside;
  }

  /** Why nothing can be done any more, at any provider; '' = something can. */
  get fenced(): string {
    const all = [...this.all()];
    return all.every((room) => room.fenced !== '') ? all.map((room) => (this.size === 1 ? room.fenced : `${room.name}: ${room.fenced}`)).join('; ') : '';
  }

  /** What there is to tell of each, for its object. */
  *sights(): Iterable<ProviderSight> {
    for (const room of this.all()) yield { name: room.name, object: room.current(), supply: room.holdings.tally, list: room.poller.status, facts: room.facts() };
  }

  /** How busy all of them are together. */
  actuationNow(): { readonly waiting: number; readonly inFlight: number; readonly offersResting: number } {
    const sum = { waiting: 0, inFlight: 0, offersResting: 0 };
    for (const { gate, setbacks } of this.all()) {
      sum.waiting += gate.waiting;
      sum.inFlight += gate.inFlight;
      sum.offersResting += setbacks.offers.count;
    }
    return sum;
  }

  /**
   * Until every provider has listed: deciding on an inventory that lacks machines would buy them a second time. One that does
   * not holds up the others only for a while, once one of them has listed.
   */
  async waitUntilListed(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.options.room;
    const { patienceMs = PATIENCE_MS } = this.options;
    let since: number | undefined;
    for (;;) {
      const missing = [...this.all()].filter((room) => !room.hasListed());
      if (missing.length === 0) return;
      if (missing.length < this.size) since ??= clock.monotonic();
      if (since !== undefined && clock.monotonic() - since >= patienceMs) {
        log.error({ providers: missing.map((room) => room.name) }, 'no List to rely on yet: going on without these providers; what their objects say of their machines counts');
        return;
      }
      await sleep(clock, LOOK_MS, signal);
    }
  }

  close(): void {
    for (const room of this.all()) room.close();
  }

  private open(object: CapacityProvider, label: string): ProviderRoom {
    const room: ProviderRoom = new ProviderRoom(object, { ...this.options.room, isOnly: () => this.size === 1, onReliance: () => this.judge(), onNotBegun: (machineId) => this.withdraw(machineId, room) });
    const actuation = createActuation(room, this.options.actuation, label);
    this.byName.set(room.name, { room, actuation });
    this.suppliers.add(...room.supply);
    this.actuators.add(actuation.controller);
    return room;
  }

  private actuationOf(machineId: string): Actuation | undefined {
    const machine = this.options.room.inventory.get(machineId);
    return machine && this.byName.get(machine.provider)?.actuation;
  }

  private judge(): void {
    this.reconsider();
    this.options.onReliance();
    const { wereTrusted } = this;
    this.wereTrusted = this.areTrusted;
    if (this.wereTrusted && !wereTrusted) this.options.onTrusted();
  }

  private reconsider(): void {
    for (const room of this.all()) {
      const isAside = this.size > 1 && !room.isReliable;
      if (isAside === this.aside.has(room.name)) continue;
      if (isAside) this.aside.add(room.name);
      else this.aside.delete(room.name);
      void this.tell(room, isAside);
    }
  }

  /** What is promised by one that is set aside, and was not begun, is decided anew. */
  private async tell(room: ProviderRoom, isAside: boolean): Promise<void> {
    const { inventory } = this.options.room;
    const told = inventory.setTrusted(room.name, !isAside);
    if (isAside) {
      if (room.poller.status.lastListAt > 0) room.log.warn({}, 'the provider is set aside: nothing is taken away or chosen of what it has, and what was meant to come from it is decided anew');
      await inTurns(inventory.tally.withIntent(), (id) => this.withdraw(id, room));
    } else room.log.info({}, 'the provider is relied on');
    await told;
    this.options.onReliance();
  }

  /** The same of one machine: what was under way may turn out later not to have begun. */
  private withdraw(machineId: string, room: ProviderRoom): void {
    const machine = room.holdings.get(machineId);
    if (!machine || !this.aside.has(room.name)) return;
    const { intent, seen } = machine;
    const isBegun = intent?.kind !== 'bind' || intent.configureSent || (seen.state !== 'Speculative' && seen.state !== 'Idle');
    if (!isBegun) room.holdings.setIntent(machineId, undefined);
  }
}
