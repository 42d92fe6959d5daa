/** The one time of a simulated world. Events of one instant happen in the order in which they were set. */
interface Event {
  readonly at: number;
  readonly seq: number;
  fn: (() => void) | undefined;
}

export class Timeline {
  /** Milliseconds since the world began. */
  now = 0;
  /** Events so far. */
  count = 0;
  private seq = 0;
  private readonly heap: Event[] = [];

  at(time: number, fn: () => void): () => void {
    // Whole milliseconds, as timers have: smaller steps would get lost in rounding, and somebody would wait for them for ever.
    const event: Event = { at: Math.max(this.now, Math.ceil(time)), seq: this.seq++, fn };
    this.push(event);
    return () => {
      event.fn = undefined;
    };
  }

  after(ms: number, fn: () => void): () => void {
    return this.at(this.now + Math.max(0, ms), fn);
  }

  /** Lets everything happen up to `end`; what an event makes ready runs before the next event. */
  async run(end: number): Promise<void> {
    await settle();
    for (let event = this.heap[0]; event && event.at <= end; event = this.heap[0]) {
      this.pop();
      if (!event.fn) continue;
      this.now = event.at;
      this.count++;
      event.fn();
      await settle();
    }
    this.now = end;
  }

  private push(event: Event): void {
    const { heap } = this;
    let i = heap.push(event) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!isBefore(event, heap[parent] as Event)) break;
      heap[i] = heap[parent] as Event;
      i = parent;
    }
    heap[i] = event;
  }

  private pop(): void {
    const { heap } = this;
    const last = heap.pop() as Event;
    if (heap.length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Event, heap[child] as Event)) child++;
      if (!isBefore(heap[child] as Event, last)) break;
      heap[i] = heap[child] as Event;
      i = child;
    }
    heap[i] = last;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.at === b.at ? a.seq < b.seq : a.at < b.at;
}

/** Promise continuations first, then what they put off to the next turn of the event loop. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
