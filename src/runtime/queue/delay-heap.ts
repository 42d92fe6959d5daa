import type { Clock } from '../../lib/clock.ts';

interface Delayed {
  readonly key: string;
  readonly at: number;
  readonly seq: number;
}

/** Keys that fall due at a monotonic time: one heap, one timer for its top, one entry per key. */
export interface DelayHeap {
  readonly size: number;
  /** Of several times for one key the earliest counts. */
  set(key: string, at: number): void;
  clear(): void;
}

export function createDelayHeap(clock: Clock, onDue: (key: string) => void): DelayHeap {
  const heap: Delayed[] = [];
  // The entry that counts for each key; others in the heap are leftovers, skipped when they surface.
  const current = new Map<string, Delayed>();
  let seq = 0;
  let armedFor = Infinity;
  let cancel = (): void => {};

  const arm = (): void => {
    const at = heap[0]?.at ?? Infinity;
    if (at === armedFor) return;
    cancel();
    armedFor = at;
    cancel = at === Infinity ? () => {} : clock.after(at - clock.monotonic(), fire);
  };
  const fire = (): void => {
    armedFor = Infinity;
    const now = clock.monotonic();
    while (heap.length > 0 && heap[0]!.at <= now) {
      const entry = pop(heap);
      if (current.get(entry.key) !== entry) continue;
      current.delete(entry.key);
      onDue(entry.key);
    }
    arm();
  };

  return {
    get size() {
      return current.size;
    },
    set(key, at) {
      const known = current.get(key);
      if (known && known.at <= at) return;
      const entry = { key, at, seq: seq++ };
      current.set(key, entry);
      push(heap, entry);
      arm();
    },
    clear() {
      heap.length = 0;
      current.clear();
      arm();
    },
  };
}

function isBefore(a: Delayed, b: Delayed): boolean {
  return a.at < b.at || (a.at === b.at && a.seq < b.seq);
}

function push(heap: Delayed[], entry: Delayed): void {
  let i = heap.length;
  heap.push(entry);
  while (i > 0) {
    const parent = (i - 1) >> 1;
    if (!isBefore(entry, heap[parent]!)) break;
    heap[i] = heap[parent]!;
    i = parent;
  }
  heap[i] = entry;
}

function pop(heap: Delayed[]): Delayed {
  const top = heap[0]!;
  const last = heap.pop()!;
  const length = heap.length;
  if (length === 0) return top;
  let i = 0;
  for (;;) {
    let child = 2 * i + 1;
    if (child >= length) break;
    if (child + 1 < length && isBefore(heap[child + 1]!, heap[child]!)) child++;
    if (!isBefore(heap[child]!, last)) break;
    heap[i] = heap[child]!;
    i = child;
  }
  heap[i] = last;
  return top;
}
