import { ASKED_FOR_ANNOTATION, MACHINE_FINALIZER } from '../api/constants.ts';
import { machineObjectName } from '../api/names.ts';
import { MachineResource } from '../api/resources.ts';
import type { Machine } from '../api/types.ts';
import type { Clock } from '../lib/clock.ts';
import { sleep } from '../lib/clock.ts';
import { PER_TURN, nextTurn } from '../lib/turns.ts';
import { isAlreadyExists, isNotFound } from '../runtime/client/api-error.ts';
import type { KubeClient, Log, Runnable, Store } from '../runtime/types.ts';
import type { Inventory } from './inventory.ts';
import { desiredMachine, specPatch } from './machine-object.ts';
import type { MachineIdentity } from './machine-object.ts';
import { wantsObject } from './object-policy.ts';
import { isReleaseRequest } from './release-requests.ts';
import type { MachineObjects } from './object-policy.ts';
import type { MachineRecord } from './record.ts';
import { WriteQueue } from './write-queue.ts';

export interface MachineWriterOptions {
  readonly client: KubeClient;
  readonly inventory: Inventory;
  readonly identity: MachineIdentity;
  /** The objects as last seen, by key namespace/name. */
  readonly objects: Store<Machine>;
  readonly clock: Clock;
  readonly log: Log;
  readonly workers: number;
  readonly mode: () => MachineObjects;
  /** A release that a person asked for is under way: the object stays until it is done, so that a restart remembers. */
  readonly isReleasing: (id: string) => boolean;
  /** What its object says was decided has not been taken over yet, so it is left as it is. */
  readonly isAwaited?: (id: string) => boolean;
  /** Changes of one machine within this time become one write, unless somebody waits for it. */
  readonly settleMs: number;
}

interface Waiter {
  resolve(): void;
  reject(error: Error): void;
}

const RETRY_MIN_MS = 200;
const RETRY_MAX_MS = 10_000;
const IDLE_MS = 60_000;
/** What a worker looks at in one turn, all workers taking theirs in the same one. */
const OBJECTS_PER_TURN = 25;

/**
 * Keeps the Machine objects equal to the inventory: the durable record of what was decided, and what people look at.
 * Writes are coalesced per machine and wait out an absent API server; nothing but `written` depends on them (D22).
 */
export class MachineWriter implements Runnable {
  readonly name = 'machine-writer';
  private readonly options: MachineWriterOptions;
  private readonly queue: WriteQueue;
  private readonly writing = new Set<string>();
  private readonly waiters = new Map<string, Waiter[]>();
  /** What we know to be on the server: the answer of our last write, newer than the informer's echo. */
  private readonly last = new Map<string, Machine>();
  /** Uids of objects that we let go: the informer may still hold them for a while. */
  private readonly released = new Map<string, string>();
  private readonly gone = new Set<string>();
  private failures = 0;
  private readonly sleepers = new Set<() => void>();

  constructor(options: MachineWriterOptions) {
    this.options = options;
    this.queue = new WriteQueue(options.settleMs);
  }

  get backlog(): number {
    return this.queue.size + this.writing.size;
  }

  markDirty(id: string): void {
    // Most machines of a large fleet have no object and need none.
    if (!this.writing.has(id) && this.isWithoutObject(id)) {
      this.gone.delete(id);
      return;
    }
    this.queue.add(id, this.options.clock.monotonic());
    this.wake();
  }

  /** The machine is no more: its object goes. */
  markGone(id: string): void {
    this.gone.add(id);
    this.markDirty(id);
  }

  /** The object is another shard's now: whatever was to be written is not ours to write. */
  forget(id: string): void {
    this.queue.delete(id);
    this.last.delete(id);
    this.gone.delete(id);
    this.release(id);
  }

  /** Resolves when everything known about the machine now is on the server; rejects when the signal aborts first. */
  written(id: string, signal: AbortSignal): Promise<void> {
    if (!this.queue.has(id) && !this.writing.has(id)) return Promise.resolve();
    if (signal.aborted) return Promise.reject(new Error('aborted'));
    this.queue.hurry(id);
    this.wake();
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { resolve: () => settle(resolve), reject: (error) => settle(() => reject(error)) };
      const onAbort = (): void => {
        const others = this.waiters.get(id)?.filter((w) => w !== waiter) ?? [];
        if (others.length > 0) this.waiters.set(id, others);
        else this.waiters.delete(id);
        waiter.reject(new Error(`the object of machine ${id} was not written in time`));
      };
      const settle = (then: () => void): void => {
        signal.removeEventListener('abort', onAbort);
        then();
      };
      this.waiters.set(id, [...(this.waiters.get(id) ?? []), waiter]);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** The informer saw the object change or go: repair it if that was not our doing. */
  observed(id: string, object: Machine | undefined): void {
    const last = this.last.get(id);
    if (object && last?.metadata.resourceVersion === object.metadata.resourceVersion) return;
    if (object && object.metadata.uid === this.released.get(id)) return;
    if (object) {
      // Echoes of our own older writes arrive late; only what somebody else wrote is news.
      if (last && isOlder(object, last)) return;
      this.last.set(id, object);
    } else {
      this.last.delete(id);
      this.released.delete(id);
    }
    this.markDirty(id);
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(Array.from({ length: this.options.workers }, () => this.work(signal)));
  }

  private async work(signal: AbortSignal): Promise<void> {
    for (let visited = 1; ; visited++) {
      // An object that is right already is nothing to wait for: thousands of them must not pass in one turn.
      if (visited % OBJECTS_PER_TURN === 0) await nextTurn();
      if (signal.aborted) return;
      const id = this.take();
      if (typeof id === 'number') {
        await this.idle(id, signal);
        continue;
      }
      this.writing.add(id);
      try {
        await this.write(id, signal);
        this.failures = 0;
        this.writing.delete(id);
        if (!this.queue.has(id)) this.release(id);
      } catch (error) {
        this.writing.delete(id);
        if (signal.aborted) return;
        await sleep(this.options.clock, this.failed(id, error), signal).catch(() => undefined);
      }
    }
  }

  /**
   * A machine that is due, or how long until one is. Whoever is writing one takes care of its next write. Those that have no object and
   * no longer need one are passed over here, and not for longer than all workers together may take in one turn.
   */
  private take(): string | number {
    const now = this.options.clock.monotonic();
    for (let passed = 0; passed < PER_TURN / this.options.workers; passed++) {
      const next = this.queue.take(now, (id) => this.writing.has(id), IDLE_MS);
      if ('dueAt' in next) return next.dueAt - now;
      if (!this.isWithoutObject(next.id)) return next.id;
      this.gone.delete(next.id);
      this.release(next.id);
    }
    return 0;
  }

  private isWithoutObject(id: string): boolean {
    const record = this.options.inventory.get(id);
    return !(record && wantsObject(record, this.options.mode(), false)) && !this.known(id);
  }

  /** For so long, or until something is marked dirty. */
  private idle(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const finish = (): void => {
        cancel();
        this.sleepers.delete(finish);
        signal.removeEventListener('abort', finish);
        resolve();
      };
      const cancel = this.options.clock.after(ms, finish);
      this.sleepers.add(finish);
      signal.addEventListener('abort', finish, { once: true });
    });
  }

  private wake(): void {
    for (const sleeper of [...this.sleepers]) sleeper();
  }

  private async write(id: string, signal: AbortSignal): Promise<void> {
    if (this.options.isAwaited?.(id) === true) return;
    const record = this.options.inventory.get(id);
    const known = this.known(id);
    // Without a machine its object stays until somebody says that it is gone: it may only not have been listed yet.
    if (record) this.gone.delete(id);
    else if (!this.gone.has(id)) return;
    if (!record || !wantsObject(record, this.options.mode(), isAsked(known))) {
      if (known) await this.delete(id, known, signal);
      this.gone.delete(id);
      return;
    }
    if (known?.metadata.deletionTimestamp && !(isReleaseRequest(known) && this.options.isReleasing(id))) {
      // A person deleted the object: that says nothing about the machine, so it comes back (spec: control-crds, Machine).
      await this.delete(id, known, signal);
      this.markDirty(id);
      return;
    }
    const desired = desiredMachine(record, this.options.identity);
    // Our objects come back with what a person had said.
    const created = known ?? (await this.create(record.hold ? { ...desired, spec: { ...desired.spec, hold: true } } : desired, signal));
    if (created.metadata.deletionTimestamp && !isReleaseRequest(created)) throw new Error('the object is being deleted and others keep it from going: it is made anew when it has gone');
    const withSpec = await this.writeSpec(record, desired, created, signal);
    if (!withSpec) return this.vanished(id);
    this.last.set(id, withSpec);
    const { status } = desiredMachine(record, this.options.identity, withSpec.metadata.generation);
    if (!covers(withSpec.status ?? {}, status ?? {}, true)) {
      const patched = await this.patch(desired, { status: { operation: null, reason: null, message: null, host: null, ...status, ...(status?.operation && { operation: { sequence: null, nextAttemptAt: null, ...status.operation } }) } }, 'status', signal);
      if (!patched) return this.vanished(id);
      this.last.set(id, patched);
    }
    // Deleted meanwhile, says the answer: the informer, who hears it later, will have no news for us.
    if (this.last.get(id)?.metadata.deletionTimestamp && !created.metadata.deletionTimestamp) this.markDirty(id);
  }

  private async create(desired: Machine, signal: AbortSignal): Promise<Machine> {
    const { status: _status, ...rest } = desired;
    try {
      return await this.options.client.create<Machine>(MachineResource, rest as Machine, { signal });
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      const found = await this.options.client.get<Machine>(MachineResource, ref(desired), { signal });
      if (!found) throw error;
      return found;
    }
  }

  /** Undefined when the object is gone meanwhile. */
  private async writeSpec(record: MachineRecord, desired: Machine, known: Machine, signal: AbortSignal): Promise<Machine | undefined> {
    const asked = isAsked(known);
    const same =
      covers(known.spec, desired.spec, false) &&
      !extraDecision(known, desired) &&
      covers(known.metadata.labels ?? {}, desired.metadata.labels ?? {}, false) &&
      known.metadata.finalizers?.includes(MACHINE_FINALIZER);
    if (same) return known;
    const finalizers = [...new Set([...(known.metadata.finalizers ?? []), MACHINE_FINALIZER])];
    const annotations = asked ? { annotations: { [ASKED_FOR_ANNOTATION]: 'true' } } : {};
    return this.patch(desired, { metadata: { labels: desired.metadata.labels, finalizers, ...annotations }, spec: specPatch(record) }, undefined, signal);
  }

  private async patch(desired: Machine, body: object, subresource: 'status' | undefined, signal: AbortSignal): Promise<Machine | undefined> {
    try {
      return await this.options.client.patch<Machine>(MachineResource, ref(desired), body, { signal, ...(subresource && { subresource }) });
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  private async delete(id: string, known: Machine, signal: AbortSignal): Promise<void> {
    // The finalizer goes last: an object without it that is not being deleted is one that a person made.
    await this.options.client.delete(MachineResource, ref(known), { signal });
    const finalizers = (known.metadata.finalizers ?? []).filter((f) => f !== MACHINE_FINALIZER);
    await this.patch(known, { metadata: { finalizers } }, undefined, signal);
    this.last.delete(id);
    this.released.set(id, known.metadata.uid ?? '');
  }

  private vanished(id: string): void {
    this.last.delete(id);
    this.markDirty(id);
  }

  private known(id: string): Machine | undefined {
    const last = this.last.get(id);
    if (last) return last;
    const cached = this.options.objects.get(`${this.options.identity.namespace}/${machineObjectName(id)}`);
    return cached?.metadata.uid === this.released.get(id) ? undefined : cached;
  }

  private release(id: string): void {
    const waiters = this.waiters.get(id);
    this.waiters.delete(id);
    for (const waiter of waiters ?? []) waiter.resolve();
  }

  /** How long the worker rests, as does the object, or the other workers would try it meanwhile. */
  private failed(id: string, error: unknown): number {
    this.failures++;
    const pauseMs = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** Math.min(this.failures, 10));
    // Our picture of the object may be what is wrong: start from the informer's next time.
    this.last.delete(id);
    this.queue.retry(id, this.options.clock.monotonic() + pauseMs);
    if (this.failures === 1 || this.failures % 50 === 0) {
      this.options.log.warn({ machine: id, failures: this.failures, error: String(error) }, 'cannot write Machine object: queued, decisions go on');
    }
    return pauseMs;
  }
}

/** Made by a person: it came without our finalizer, which we note on it, since from then on it carries one. */
function isAsked(object: Machine | undefined): boolean {
  if (!object || object.metadata.deletionTimestamp) return false;
  return object.metadata.annotations?.[ASKED_FOR_ANNOTATION] === 'true' || !object.metadata.finalizers?.includes(MACHINE_FINALIZER);
}

function ref(machine: Machine): { namespace?: string; name: string } {
  const { namespace, name } = machine.metadata;
  return namespace === undefined ? { name } : { namespace, name };
}

function extraDecision(known: Machine, desired: Machine): boolean {
  return (['binding', 'unbind', 'release'] as const).some((part) => known.spec[part] !== undefined && desired.spec[part] === undefined);
}

/** Resource versions of one server grow, whatever the object; comparing lengths first avoids a number above 2^53. */
function isOlder(a: Machine, b: Machine): boolean {
  const x = a.metadata.resourceVersion ?? '';
  const y = b.metadata.resourceVersion ?? '';
  return x.length === y.length ? x < y : x.length < y.length;
}

/** Every value of `want` is in `have`; `exact` also means nothing else is, at the top. */
function covers(have: unknown, want: unknown, exact: boolean): boolean {
  if (Array.isArray(want)) {
    return Array.isArray(have) && have.length === want.length && want.every((item, i) => covers(have[i], item, false));
  }
  if (want !== null && typeof want === 'object') {
    if (have === null || typeof have !== 'object') return false;
    const known = have as Record<string, unknown>;
    if (exact && Object.keys(known).some((key) => !(key in want))) return false;
    return Object.entries(want).every(([key, value]) => value === undefined || covers(known[key], value, false));
  }
  return have === want;
}
