import type { MachineState } from '../../engine/types.ts';
import { sleep } from '../../lib/clock.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Texts } from '../../lib/text-map.ts';
import type { Random } from '../../lib/random.ts';
import { inTurns } from '../../lib/turns.ts';
import type { DecodedList, ListRequest, ProviderClient } from '../../provider/client.ts';
import type { Log, Runnable } from '../../runtime/types.ts';
import type { Inventory } from '../../shard/inventory.ts';
import type { MachineRecord } from '../../shard/record.ts';
import { Doubt } from './doubt.ts';
import { byNumber, removalVerdict } from './removal.ts';
import type { ByNumber, KnownBefore, KnownMachine, Quarantine } from './removal.ts';

/** Merging a machine takes longer than looking at one. */
const MERGED_PER_TURN = 500;

export interface PollerSettings {
  readonly pollMs: number;
  readonly fullListMs: number;
  /** How long one List may take. */
  readonly listDeadlineMs: number;
  /** After this long in a transitional state a machine is stuck. */
  readonly transitionMs: Readonly<Record<'Creating' | 'Configuring' | 'Draining' | 'Deleting', number>>;
  /** The time for Draining comes on top of the grace that the drain was given. */
  readonly drainingAddsGrace: boolean;
}

export interface ProviderStatus {
  readonly trusted: boolean;
  /** Wall time of the last successful List and of the last full one; 0 = never. */
  readonly lastListAt: number;
  readonly lastFullListAt: number;
  readonly rejected: number;
  readonly lastError: string;
  /** The last full List is not believed. */
  readonly quarantine: Quarantine | undefined;
}

/** The machines of the provider that is polled, and of no other one. */
export type PolledMachines = Pick<Inventory, 'size' | 'get' | 'all' | 'inTransition' | 'newIdSet' | 'mark' | 'observe' | 'update' | 'remove'> & {
  readonly tally: Pick<Inventory['tally'], 'countByState'>;
  /** Another provider has a machine of this id. */
  readonly isAnothers?: (id: string) => boolean;
};

export interface PollerOptions {
  readonly provider: ProviderClient;
  readonly inventory: PolledMachines;
  readonly settings: () => PollerSettings;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** True for a machine whose object says that another shard owns it (D15). */
  readonly isForeign: (id: string) => boolean;
  /** What a person wrote to confirm that the machines of a quarantined List are gone: its token. */
  readonly confirmation: () => string | undefined;
  /** It has served, or was not needed: it must not wait for a later loss of the same machines. Asked again while it is there. */
  readonly withdrawConfirmation: (word: string) => void;
  /** How many machines an earlier process knew; asked once, when the first List is compared. */
  readonly knownBefore?: () => KnownBefore;
  readonly onTrust: (trusted: boolean) => void;
  readonly onRejected: (reason: string) => void;
  /** After a complete List that was believed: all that it named. */
  readonly onFullList?: (named: Texts) => void;
}

/** The view is called stale, and nothing is taken away by it, when it is older than so many polls. */
const STALE_POLLS = 3;
/** A stale verdict needs at least this, or a demo's quarter-second polls would flap. */
const MIN_STALE_MS = 5_000;
const MAX_BACKOFF_MS = 10_000;
const SWEEP_MS = 1_000;
const NOTHING: KnownBefore = { machines: 0, bound: 0 };
/** A List of more machines than this takes a noticeable time merely to be put together. */
const LARGE = 20_000;
/** So many refused records of one List are logged in full. */
const MAX_TOLD = 10;

/**
 * Watches a provider by polling its List: changes by cursor, and a full List now and then, which alone may remove
 * machines. Owns the verdict whether the supply side of a plan can be trusted.
 */
export class ProviderPoller implements Runnable {
  readonly name = 'provider-poller';
  private readonly options: PollerOptions;
  private cursor: Uint8Array | undefined;
  private wantsFullList = true;
  private trusted = false;
  private quarantine: Quarantine | undefined;
  private inDoubt: Doubt | undefined;
  /** How many machines were known when a List was last believed; what a suspect List names for the first time makes it no better. */
  private known = 0;
  /** The confirmation that was to be withdrawn and means nothing any more. */
  private spent: string | undefined;
  /** What `knownBefore` said, until a full List is believed. */
  private knownBefore: KnownBefore | undefined;
  private lastListAt = 0;
  private lastListMono = -Infinity;
  private lastFullListAt = 0;
  private lastFullListMono = -Infinity;
  private lastSweepMono = -Infinity;
  private rejectedCount = 0;
  private lastError = '';
  private cancelStale: () => void = () => undefined;

  constructor(options: PollerOptions) {
    this.options = options;
  }

  get status(): ProviderStatus {
    return {
      trusted: this.trusted,
      lastListAt: this.lastListAt,
      lastFullListAt: this.lastFullListAt,
      rejected: this.rejectedCount,
      lastError: this.lastError,
      quarantine: this.quarantine,
    };
  }

  /** Makes the next List to begin a complete one: a machine that was not looked at has become ours. */
  listFully(): void {
    this.wantsFullList = true;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.options;
    let failures = 0;
    while (!signal.aborted) {
      const settings = this.options.settings();
      let pauseMs = settings.pollMs;
      try {
        await this.poll(settings, signal);
        failures = 0;
      } catch (error) {
        if (signal.aborted) break;
        failures++;
        this.failed(error, failures);
        pauseMs = Math.min(MAX_BACKOFF_MS, Math.max(settings.pollMs, 100) * 2 ** Math.min(failures, 10)) * (0.5 + random() / 2);
      }
      this.sweep(settings);
      this.judge(settings);
      await sleep(clock, pauseMs, signal).catch(() => undefined);
    }
    this.cancelStale();
  }

  private async poll(settings: PollerSettings, signal: AbortSignal): Promise<void> {
    const { inventory, clock } = this.options;
    const startedMono = clock.monotonic();
    const full = this.wantsFullList || this.cursor === undefined || startedMono - this.lastFullListMono >= settings.fullListMs || this.quarantine !== undefined;
    const mark = inventory.mark();
    const named = inventory.newIdSet();
    let isFirst = true;
    // Machines that were touched meanwhile are newer than the List (`mark`), however many turns the merge takes.
    const merge = (machines: DecodedList['machines']): Promise<void> => {
      if (isFirst && !this.inDoubt) this.known = inventory.size;
      isFirst = false;
      return inTurns(machines, (seen) => {
        if (!this.options.isForeign(seen.id)) inventory.observe(seen, mark);
        if (full) named.add(seen.id);
      }, MERGED_PER_TURN);
    };
    const answer = await this.list(full ? undefined : this.cursor, { signal, timeoutMs: settings.listDeadlineMs, onPart: merge });
    await this.refuse(answer.rejected);
    await merge(answer.machines);
    signal.throwIfAborted();
    if (full) {
      for (const { id } of answer.rejected) named.add(id);
      await this.remove(named, signal);
      this.lastFullListMono = startedMono;
      this.lastFullListAt = clock.now();
      if (!this.quarantine) {
        this.withdrawConfirmation();
        this.options.onFullList?.(named);
      }
    }
    // A provider without cursors sends no revision: then every List is a full one.
    this.cursor = answer.revision.length > 0 ? answer.revision : undefined;
    this.lastListMono = clock.monotonic();
    this.lastListAt = clock.now();
    // The view ages also while the next List hangs.
    this.cancelStale();
    this.cancelStale = clock.after(staleMs(settings) + 1, () => this.judge(settings));
    if (this.lastError) this.options.log.info({}, 'the provider answers again');
    this.lastError = '';
  }

  /** A wish for a full List is met by one that begins after it was made, and that succeeds. */
  private async list(since: Uint8Array | undefined, request: Pick<ListRequest, 'signal' | 'timeoutMs' | 'onPart'>): Promise<DecodedList> {
    if (since) return this.options.provider.list({ ...request, since });
    this.wantsFullList = false;
    try {
      return await this.options.provider.list({ ...request, isLarge: this.isLarge() });
    } catch (error) {
      this.wantsFullList = true;
      throw error;
    }
  }

  /** At the first List of a process only its predecessor can have known. */
  private isLarge(): boolean {
    const { inventory, knownBefore } = this.options;
    return Math.max(inventory.size, knownBefore?.().machines ?? 0) > LARGE;
  }

  private async refuse(rejected: DecodedList['rejected']): Promise<void> {
    const { log, onRejected } = this.options;
    let told = 0;
    await inTurns(rejected, ({ id, reason, field, text }) => {
      this.rejectedCount++;
      onRejected(reason);
      if (told++ < MAX_TOLD) log.warn({ machine: id, reason, field }, `the provider's record is refused: ${text}`);
    });
    if (told > MAX_TOLD) log.warn({ refused: told }, `${told - MAX_TOLD} more records of the List are refused`);
  }

  private async remove(named: Texts, signal: AbortSignal): Promise<void> {
    const { inventory, log } = this.options;
    // Only these can make a difference; they are looked at again below, together, and once more when their turn has come.
    const suspects: string[] = [];
    await inTurns(inventory.all(), ({ seen, missedLists }) => {
      if (missedLists > 0 || !named.has(seen.id)) suspects.push(seen.id);
    });
    const others = await this.others(named);
    const verdict = removalVerdict(knownMachines(inventory, suspects), this.known, named, others);
    if (verdict.quarantined) return await this.doubt(verdict.absent, others, named.size === 0, signal);
    this.believe();
    await inTurns(verdict.missed, ([id, missedLists]) => inventory.update(id, { missedLists }));
    await inTurns(verdict.removed, (id) => {
      const machine = inventory.get(id);
      if (!machine || isPending(machine) || machine.missedLists === 0) return; // a call has found it meanwhile
      log.warn({ machine: id }, 'the provider no longer lists the machine: removed');
      inventory.remove(id);
    });
  }

  /** Machines of before the start that no object describes: of all that an earlier process knew, those whose ids we do not. */
  private async others(named: Texts): Promise<ByNumber> {
    const { inventory, isForeign } = this.options;
    const before = (this.knownBefore ??= this.options.knownBefore?.() ?? NOTHING);
    if (before.machines === 0) return { known: 0, missing: 0, bound: 0 };
    let refused = 0;
    await inTurns(named, (id) => {
      if (!inventory.get(id) && !isForeign(id) && inventory.isAnothers?.(id) !== true) refused++;
    });
    const { Configuring, Configured, Draining } = inventory.tally.countByState();
    return byNumber(before, { byId: this.known, machines: inventory.size, bound: Configuring + Configured + Draining, refused });
  }

  /** The List lacks too many machines: only a person's word, given for just these machines, removes them. */
  private async doubt(absent: readonly string[], others: ByNumber, isEmpty: boolean, signal: AbortSignal): Promise<void> {
    const { inventory, clock, log } = this.options;
    const isNew = this.inDoubt === undefined;
    this.inDoubt ??= new Doubt(clock.now());
    const quarantine = await this.inDoubt.look(absent, others.missing, this.known + others.known);
    signal.throwIfAborted();
    const { missing, known, token } = quarantine;
    const word = this.options.confirmation();
    if (word !== this.spent) this.spent = undefined;
    if (this.spent === undefined && this.inDoubt.isConfirmedBy(word?.trim())) {
      log.warn({ known, missing: missing.length + others.missing }, 'a person confirmed that the machines which the List lacks are gone: removed');
      this.believe();
      await inTurns(missing, (id) => inventory.remove(id));
      return;
    }
    if (isNew) log.error({ known, missing: missing.length + others.missing, token }, 'the List lacks too many machines at once, or names none: quarantined, nothing is removed or taken away');
    this.quarantine = { ...quarantine, ...(isEmpty && { isEmpty }) };
  }

  private believe(): void {
    this.quarantine = undefined;
    this.inDoubt = undefined;
    this.knownBefore = NOTHING;
  }

  private withdrawConfirmation(): void {
    this.spent = this.options.confirmation();
    if (this.spent !== undefined) this.options.withdrawConfirmation(this.spent);
  }

  /** Marks machines that stay in a transitional state past its deadline; leaving the state clears the mark. */
  private sweep(settings: PollerSettings): void {
    const { inventory, clock, log } = this.options;
    if (clock.monotonic() - this.lastSweepMono < SWEEP_MS) return;
    this.lastSweepMono = clock.monotonic();
    for (const machine of inventory.inTransition()) {
      if (machine.stuck || !isTransitional(machine.seen.state)) continue;
      const grace = settings.drainingAddsGrace && machine.seen.state === 'Draining' && machine.intent?.kind === 'unbind' ? machine.intent.graceSeconds * 1000 : 0;
      if (clock.now() - machine.since <= settings.transitionMs[machine.seen.state] + grace) continue;
      inventory.update(machine.seen.id, { stuck: true });
      log.warn({ machine: machine.seen.id, state: machine.seen.state }, 'stuck: past the transition deadline, counts for nobody');
    }
  }

  private judge(settings: PollerSettings): void {
    const fresh = this.options.clock.monotonic() - this.lastListMono <= staleMs(settings);
    const trusted = fresh && !this.quarantine;
    if (trusted === this.trusted) return;
    this.trusted = trusted;
    this.options.onTrust(trusted);
  }

  private failed(error: unknown, failures: number): void {
    this.lastError = error instanceof Error ? error.message : String(error);
    if (failures === 1 || failures % 10 === 0) {
      this.options.log.warn({ failures, error: this.lastError }, 'List failed: deciding on the last known state');
    }
  }
}

function staleMs({ pollMs }: PollerSettings): number {
  return Math.max(MIN_STALE_MS, STALE_POLLS * pollMs);
}

function isTransitional(state: MachineState): state is 'Creating' | 'Configuring' | 'Draining' | 'Deleting' {
  return state === 'Creating' || state === 'Configuring' || state === 'Draining' || state === 'Deleting';
}

function* knownMachines(inventory: PolledMachines, ids: readonly string[]): Iterable<KnownMachine> {
  for (const id of ids) {
    const machine = inventory.get(id);
    if (machine) yield { id, missedLists: machine.missedLists, pending: isPending(machine), held: machine.seen.state !== 'Speculative' };
  }
}

function isPending({ busy, intent }: MachineRecord): boolean {
  return busy || intent !== undefined;
}
