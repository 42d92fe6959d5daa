import { CONFIRM_REMOVAL_ANNOTATION } from '../../api/constants.ts';
import type { ServerTlsFiles } from '../../api/tls-listener.ts';
import type { CapacityProvider, Machine } from '../../api/types.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import type { ProviderClient, ProviderClientOptions } from '../../provider/client.ts';
import { failureClass } from '../../provider/failure-class.ts';
import { ProviderPoller } from '../../reconcilers/provider/poller.ts';
import { withdrawConfirmation } from '../../reconcilers/provider/withdraw-confirmation.ts';
import type { KubeClient, Log, Runnable, Store } from '../../runtime/types.ts';
import type { Inventory, InventoryChange } from '../inventory.ts';
import { Setbacks } from '../setbacks.ts';
import { callDeadlineMs, pollerSettingsOf } from '../settings.ts';
import { recallMachines } from '../start.ts';
import type { ProviderFacts } from '../status.ts';
import type { CallKind } from '../record.ts';
import { UnreadableNotes } from '../unreadable-notes.ts';
import { ProviderGate } from './gate.ts';
import { Holdings } from './holdings.ts';
import { OrphanObjects } from './orphan-objects.ts';
import { ProviderTls } from './tls.ts';
import { confirmsUnseen, unseenBound } from './unseen.ts';

/** So many disputed ids are logged one by one. */
const MAX_TOLD = 10;

/** What the shard gives to every room. */
export interface RoomOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly shardId: string;
  readonly epoch: () => bigint;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly dial: (options: ProviderClientOptions) => ProviderClient;
  readonly inventory: Inventory;
  /** For providers whose objects name no certificates. */
  readonly tlsFiles?: ServerTlsFiles;
  /** CapacityProviders as last seen, by key namespace/name. */
  readonly objects: Store<CapacityProvider>;
  /** Likewise the Machines. */
  readonly machineObjects: Store<Machine>;
  /** Finer than the object can say. */
  readonly pollMs: number | undefined;
  /** Whether an earlier process kept an object of each machine that serves. */
  readonly wereAllObjects: () => boolean;
  /** So many calls at a time; asked each time. */
  readonly concurrency: () => number;
  /** True for a machine whose object says that another shard owns it (D15). */
  readonly isForeign: (machineId: string) => boolean;
  /** The shard has no other provider. */
  readonly isOnly: () => boolean;
  /** Whether it can be relied on may have changed. */
  readonly onReliance: () => void;
  /** The provider has refused this shard, and what was decided about the machine has not begun. */
  readonly onNotBegun: (machineId: string) => void;
  readonly onRejected: (reason: string) => void;
  /** The object describes a machine that no List names any more. */
  readonly onOrphan: (machineId: string) => void;
  /** Until then objects are written. */
  readonly signal: AbortSignal;
}

/**
 * All that is one provider's: the way to it, what it says of its machines and whether that is believed, what rests, and where
 * calls wait for their turn. Nothing in here is shared with another provider, so that what goes wrong with one stays with it.
 */
export class ProviderRoom {
  readonly name: string;
  readonly holdings: Holdings;
  /** Names the provider with everything. */
  readonly log: Log;
  readonly tls: ProviderTls;
  readonly provider: ProviderClient;
  readonly poller: ProviderPoller;
  readonly setbacks: Setbacks;
  readonly gate: ProviderGate;
  private readonly options: RoomOptions;
  private readonly notes: UnreadableNotes;
  private readonly orphans = new OrphanObjects();
  private object: CapacityProvider;
  private dialled: string;
  private isTrusted = false;
  /** Monotonic. */
  private trustedSince = 0;
  private fence = '';
  private boundBefore = 0;
  private wereObjects = false;

  constructor(object: CapacityProvider, options: RoomOptions) {
    const { client, namespace, shardId, clock, random } = options;
    this.options = options;
    this.object = object;
    this.name = object.metadata.name;
    this.dialled = object.spec.address;
    const { name } = this;
    const log = naming(options.log, name);
    this.log = log;
    const inventory = new Holdings(options.inventory, name, (machine, owner) => {
      options.onRejected('claimed');
      if (this.holdings.disputed.size <= MAX_TOLD) log.error({ machine, owner }, 'the provider lists a machine under an id that another provider had first: passed over; ids must be unique among the providers of a shard');
    });
    this.holdings = inventory;
    const tls = new ProviderTls({ client, namespace, provider: () => this.last(), clock, log, ...(options.tlsFiles && { files: options.tlsFiles }) });
    this.tls = tls;
    this.provider = options.dial({ address: () => this.last().spec.address, shardId, epoch: options.epoch, clock, tls: () => tls.current(), obstacle: () => tls.obstacle()?.message });
    this.notes = new UnreadableNotes(log);
    this.setbacks = new Setbacks({ clock, random, inventory, log });
    this.gate = new ProviderGate({ clock, random, limit: options.concurrency });
    this.poller = new ProviderPoller({
      provider: this.provider, inventory, clock, random, log,
      settings: () => pollerSettingsOf(this.last(), options.pollMs),
      isForeign: options.isForeign,
      confirmation: () => this.current()?.metadata.annotations?.[CONFIRM_REMOVAL_ANNOTATION],
      withdrawConfirmation: (word) => void withdrawConfirmation(client, { namespace, name }, word, log, options.signal),
      knownBefore: () => {
        const machines = this.current()?.status?.machines ?? {};
        return { machines: Object.values(machines).reduce((sum, count) => sum + count, 0), bound: bound(machines) };
      },
      onTrust: (trusted) => {
        this.isTrusted = trusted;
        if (trusted) this.isBack();
        options.onReliance();
      },
      onRejected: options.onRejected,
      onFullList: (named) => {
        inventory.named(named);
        this.removeOrphans();
      },
    });
  }

  /** Until the first List nothing is known about supply, so nothing may be taken away by it. */
  get trusted(): boolean {
    return this.isTrusted;
  }

  /** Why nothing is done at this provider any more: it has seen a newer epoch than ours. '' = it has not. */
  get fenced(): string {
    return this.fence;
  }

  set fenced(why: string) {
    this.fence = why;
    this.options.onReliance();
  }

  /** What it says of its machines is believed and fresh, and it does what it is asked. */
  get isReliable(): boolean {
    return this.isTrusted && this.fence === '';
  }

  /** What keeps its word up to date. */
  get supply(): readonly Runnable[] {
    return [this.tls, this.poller];
  }

  /** The CapacityProvider, if it is there. */
  current(): CapacityProvider | undefined {
    return this.options.objects.get(`${this.options.namespace}/${this.name}`);
  }

  /** What there is to say of it beside what its Lists say. */
  facts(): ProviderFacts {
    return { address: this.provider.address, resting: this.setbacks.offers.list(), obstacle: this.tls.obstacle(), fenced: this.fence, disputed: this.holdings.disputed, unseen: this.unseen, silent: this.gate.silent };
  }

  /** How long one call may take, in ms. */
  deadlineMs(kind: CallKind): number {
    return callDeadlineMs(this.last(), kind);
  }

  /**
   * A call of the kind brought no answer in time. Where that goes on, one at a time is tried, and what needs such calls is not to be
   * had meanwhile. For how many milliseconds; 0 = it may be that one call.
   */
  unanswered(machineId: string, kind: CallKind, words: string): number {
    // Begun while it did not list either: that it was away is known by its List, and over with it.
    if (!this.isTrusted || this.options.clock.monotonic() - this.deadlineMs(kind) < this.trustedSince) return 0;
    const isNew = !this.gate.silent.some((one) => one.kind === kind);
    const restMs = this.gate.unanswered(kind, words);
    if (restMs === 0) return 0;
    if (isNew) this.log.error({ call: kind, error: words, restMs }, 'the provider lists its machines and does not answer these calls: one at a time is tried now and then');
    if (kind === 'Create' || kind === 'Configure') this.setbacks.offers.unanswered(kind, machineId, restMs, restMs + 2 * this.deadlineMs(kind));
    return restMs;
  }

  notBegun(machineId: string): void {
    this.options.onNotBegun(machineId);
  }

  /** A call of the kind was answered, whatever the answer. */
  answered(kind: CallKind): void {
    if (!this.gate.heard(kind)) return;
    this.log.info({ call: kind }, 'the provider answers these calls again');
    if (kind === 'Create' || kind === 'Configure') this.setbacks.offers.answered(kind);
  }

  /** Feed it every change of a machine of its own. */
  observe(change: InventoryChange): void {
    this.setbacks.observe(change);
    this.notes.observe(change);
    const { before, after } = change;
    if (after?.seen.state !== 'Failed' || !before || before.seen.state === 'Failed') return;
    // It took the call, and was itself asked too much: what is asked of it next would fare no better.
    if (failureClass(after.seen.lastError) !== 'Throttled') return;
    const restMs = this.gate.throttled();
    this.log.warn({ machine: change.id, error: after.seen.lastError, restMs }, 'a machine failed because the provider is asked too much: nothing new is sent to it for a moment');
  }

  /** Some CapacityProvider has changed, perhaps this one. */
  look(): void {
    const { address } = this.last().spec;
    this.tls.look();
    if (address === this.dialled) return;
    this.log.info({ from: this.dialled, to: address }, 'the address of the provider has changed');
    this.dialled = address;
    this.poller.listFully(); // a revision of the one says nothing to the other
  }

  /** What the objects say is known before the first List is compared with it: a restart must not make a broken List credible. */
  recall(): void {
    const { machineObjects, shardId } = this.options;
    this.wereObjects = this.options.wereAllObjects();
    this.boundBefore = bound(this.current()?.status?.machines ?? {});
    recallMachines(machineObjects.values(), shardId, this.holdings);
  }

  /** Whether a List has been merged that may be decided on. */
  hasListed(): boolean {
    return this.poller.status.lastListAt > 0 && this.unseen === 0;
  }

  /**
   * How many of its machines served when an earlier process looked, and neither an object nor a List names them: what they serve would
   * be bought elsewhere. 0 once a List is believed, its object is gone, or a person confirmed that they are.
   */
  get unseen(): number {
    const { lastListAt, quarantine } = this.poller.status;
    const object = this.current();
    if (!object || (lastListAt > 0 && !quarantine?.unnamed)) return 0;
    const unseen = unseenBound({ before: this.boundBefore, known: bound(this.holdings.tally.countByState()), areObjects: this.wereObjects || (lastListAt > 0 && quarantine?.isEmpty !== true) });
    return confirmsUnseen(object.metadata.annotations?.[CONFIRM_REMOVAL_ANNOTATION], unseen) ? 0 : unseen;
  }

  close(): void {
    this.provider.close();
  }

  /** It lists its machines again: what it did not answer when it was last here says nothing of now. */
  private isBack(): void {
    this.trustedSince = this.options.clock.monotonic();
    for (const { kind } of this.gate.silent) this.answered(kind);
  }

  /** A deleted object changes nothing about how its provider is called. */
  private last(): CapacityProvider {
    return (this.object = this.current() ?? this.object);
  }

  private removeOrphans(): void {
    const { machineObjects, shardId, inventory, isOnly, onOrphan } = this.options;
    const ours = [...machineObjects.values()].filter(({ spec }) => spec.shardRef === shardId && (isOnly() || spec.providerRef === this.name));
    for (const machineId of this.orphans.afterFullList(ours, (id) => inventory.get(id) !== undefined)) onOrphan(machineId);
  }
}

function naming(log: Log, provider: string): Log {
  return {
    debug: (fields, message) => log.debug({ provider, ...fields }, message),
    info: (fields, message) => log.info({ provider, ...fields }, message),
    warn: (fields, message) => log.warn({ provider, ...fields }, message),
    error: (fields, message) => log.error({ provider, ...fields }, message),
  };
}

function bound({ Configuring = 0, Configured = 0, Draining = 0 }: Readonly<Record<string, number>>): number {
  return Configuring + Configured + Draining;
}
