import type { MachineState } from './machine.ts';
import type { PendingOperation, StoredMachine } from './state-store.ts';
import { frameMachine, frameRevision, stateOfWire } from './wire.ts';

/** One machine in memory: what is stored, its place in the order of change, and its bytes on the wire. */
export interface Entry {
  stored: StoredMachine;
  /** Aborts the operation that runs, if one does. */
  abort: AbortController | undefined;
  /** Settles when the backend has let go of the machine, also of an operation that is void; undefined when it has. */
  busy: Promise<void> | undefined;
  recovering: boolean;
  frame: Uint8Array | undefined;
  /** Its place in the order of discovery. */
  readonly index: number;
  older: Entry | undefined;
  newer: Entry | undefined;
}

export interface ListQuery {
  /** Wire numbers; empty = every state. */
  readonly states: readonly number[];
  /** 0 = no cap. */
  readonly maxResults: number;
  readonly sinceRevision: Uint8Array;
}

/** Revisions that an earlier process may have handed out for changes that did not outlive it: above `after`, below `before`. */
export interface LostRevisions {
  readonly after: number;
  readonly before: number;
}

/** A full List is kept in segments of so many machines, and only segments with a change are put together again, one per turn of the event loop. */
const SEGMENT = 500;

/**
 * All machines, in the order they were discovered and in the order they last changed. Machines are never removed: a
 * deleted host leaves a Speculative slot.
 */
export class Inventory {
  private readonly byId = new Map<string, Entry>();
  private readonly order: Entry[] = [];
  private newest: Entry | undefined;
  private rotation = 0;
  private full: { revision: number; bytes: Buffer } | undefined;
  private readonly segments: (Buffer | undefined)[] = [];
  private readonly lost: LostRevisions | undefined;
  /** The revision of the newest change. */
  head: number;

  /** Takes over what was stored, in order of discovery; `head` is the revision to count on from. */
  constructor(head: number, stored: Iterable<StoredMachine> = [], lost?: LostRevisions) {
    this.head = head;
    this.lost = lost;
    const list = [...stored];
    for (const one of list) this.put(one);
    // Now put them in order of change, which is not the order of discovery.
    list.sort((a, b) => a.revision - b.revision);
    for (const one of list) this.put(one);
  }

  get size(): number {
    return this.order.length;
  }

  get(id: string): Entry | undefined {
    return this.byId.get(id);
  }

  entries(): readonly Entry[] {
    return this.order;
  }

  /** Adds or replaces a record that carries its new revision, and makes it the newest. */
  put(stored: StoredMachine): Entry {
    let entry = this.byId.get(stored.machine.id);
    if (entry) {
      this.unlink(entry);
      entry.stored = stored;
      entry.frame = undefined;
    } else {
      entry = { stored, abort: undefined, busy: undefined, recovering: false, frame: undefined, index: this.order.length, older: undefined, newer: undefined };
      this.byId.set(stored.machine.id, entry);
      this.order.push(entry);
    }
    this.segments[Math.floor(entry.index / SEGMENT)] = undefined;
    entry.older = this.newest;
    if (this.newest) this.newest.newer = entry;
    this.newest = entry;
    this.head = Math.max(this.head, stored.revision);
    return entry;
  }

  /** A MachineList, encoded. A delta holds every record changed after the cursor, oldest change first. */
  async list(query: ListQuery): Promise<Buffer> {
    if (query.maxResults <= 0 && this.cursorOf(query.sinceRevision) === undefined) await this.fillSegments();
    const since = this.cursorOf(query.sinceRevision);
    const states = query.states.length > 0 ? new Set(query.states.flatMap((s) => stateOfWire(s) ?? [])) : undefined;
    const max = query.maxResults > 0 ? query.maxResults : Infinity;
    if (since !== undefined) return this.delta(since, states, max);
    if (max !== Infinity) return join(this.page(states, max), this.head);
    if (states) return join(this.order.filter((e) => states.has(e.stored.machine.state)), this.head);
    if (this.full?.revision === this.head) return this.full.bytes;
    const segments = Array.from({ length: Math.ceil(this.order.length / SEGMENT) }, (_, i) => this.segment(i));
    this.full = { revision: this.head, bytes: Buffer.concat([...segments, frameRevision(this.head)]) };
    return this.full.bytes;
  }

  /** Undefined = everything, please: not a cursor of ours, or one whose changes may have been lost. */
  private cursorOf(bytes: Uint8Array): number | undefined {
    const cursor = parseCursor(bytes, this.head);
    if (cursor === undefined || (this.lost && cursor > this.lost.after && cursor < this.lost.before)) return undefined;
    return cursor;
  }

  private delta(since: number, states: ReadonlySet<MachineState> | undefined, max: number): Buffer {
    const changed: Entry[] = [];
    for (let e = this.newest; e && e.stored.revision > since; e = e.older) {
      if (!states || states.has(e.stored.machine.state)) changed.push(e);
    }
    changed.reverse();
    if (changed.length <= max) return join(changed, this.head);
    // A cut delta hands out the cursor of its own end, so that the next call continues where this one stopped.
    const page = changed.slice(0, max);
    return join(page, page[page.length - 1]!.stored.revision);
  }

  /** A capped List starts where the last one ended and wraps: callers that take "any free one" do not all get the same. */
  private page(states: ReadonlySet<MachineState> | undefined, max: number): Entry[] {
    const page: Entry[] = [];
    const start = this.rotation;
    for (let i = 0; i < this.order.length && page.length < max; i++) {
      const at = (start + i) % this.order.length;
      const entry = this.order[at]!;
      if (states && !states.has(entry.stored.machine.state)) continue;
      page.push(entry);
      this.rotation = at + 1;
    }
    return page;
  }

  /** What changes while this waits is put together in the end. */
  private async fillSegments(): Promise<void> {
    if (this.full?.revision === this.head) return;
    for (let i = 0; i * SEGMENT < this.order.length; i++) {
      if (this.segments[i]) continue;
      this.segment(i);
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  private segment(i: number): Buffer {
    return (this.segments[i] ??= Buffer.concat(this.order.slice(i * SEGMENT, (i + 1) * SEGMENT).map(frameOf)));
  }

  private unlink(entry: Entry): void {
    if (entry.older) entry.older.newer = entry.newer;
    if (entry.newer) entry.newer.older = entry.older;
    if (this.newest === entry) this.newest = entry.older;
    entry.older = undefined;
    entry.newer = undefined;
  }
}

/** The machine's bytes as an element of a list; encoded once per change. */
export function frameOf(entry: Entry): Uint8Array {
  return (entry.frame ??= frameMachine(entry.stored.machine));
}

/** The bytes of the machine alone. */
export function encodedMachine(entry: Entry): Uint8Array {
  const frame = frameOf(entry);
  let at = 1; // behind the tag; then a varint length, whose last byte has its high bit clear
  while (frame[at]! >= 0x80) at += 1;
  return frame.subarray(at + 1);
}

/** Adopts a pending operation or drops it: `pending` is absent, not undefined. */
export function withPending(stored: Omit<StoredMachine, 'pending'>, pending: PendingOperation | undefined): StoredMachine {
  const { machine, revision, operations } = stored;
  return pending ? { machine, revision, operations, pending } : { machine, revision, operations };
}

/**
 * A cursor is a whole decimal number and nothing else. Anything else, or a number this inventory has not reached (a
 * provider that lost its state), means: everything, please.
 */
function parseCursor(bytes: Uint8Array, head: number): number | undefined {
  if (bytes.length === 0 || bytes.length > 16) return undefined;
  const text = Buffer.from(bytes).toString('latin1');
  if (!/^\d+$/.test(text)) return undefined;
  const cursor = Number(text);
  return cursor <= head ? cursor : undefined;
}

function join(entries: readonly Entry[], revision: number): Buffer {
  const parts = entries.map(frameOf);
  parts.push(frameRevision(revision));
  return Buffer.concat(parts);
}
