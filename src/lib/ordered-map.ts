import { TextMap } from './text-map.ts';

/** Gone entries that are left alone, so that small maps are never tidied up. */
const FEW = 1_024;

/**
 * Entries in the order in which they were added. Unlike a Map, whose iterator passes over every entry that was ever deleted
 * at its front until the table is rebuilt, it finds the first one at once, however many went before it.
 */
export class OrderedMap<V> {
  private keys: (string | undefined)[] = [];
  private values: V[] = [];
  /** Counted from the first entry ever; `dropped` of them are in the lists no more. */
  private readonly places = new TextMap<number>();
  private dropped = 0;
  private head = 0;

  get size(): number {
    return this.places.size;
  }

  has(key: string): boolean {
    return this.places.has(key);
  }

  /** A key that is there already stays as it is. */
  add(key: string, value: V): void {
    if (this.places.has(key)) return;
    this.places.set(key, this.dropped + this.keys.length);
    this.keys.push(key);
    this.values.push(value);
  }

  delete(key: string): boolean {
    const place = this.places.get(key);
    if (place === undefined) return false;
    this.places.delete(key);
    this.keys[place - this.dropped] = undefined;
    while (this.head < this.keys.length && this.keys[this.head] === undefined) this.head++;
    if (this.head > FEW + this.keys.length / 2) this.dropFront();
    else if (this.keys.length - this.head > FEW + 2 * this.places.size) this.closeGaps();
    return true;
  }

  /** Oldest first. Between two steps nothing may be added or deleted. */
  *entries(): Iterable<readonly [key: string, value: V]> {
    for (let place = this.head; place < this.keys.length; place++) {
      const key = this.keys[place];
      if (key !== undefined) yield [key, this.values[place] as V];
    }
  }

  /** Two copies of memory, whatever their length: no entry is looked at. */
  private dropFront(): void {
    this.keys = this.keys.slice(this.head);
    this.values = this.values.slice(this.head);
    this.dropped += this.head;
    this.head = 0;
  }

  private closeGaps(): void {
    const kept = [...this.entries()];
    this.keys = kept.map(([key]) => key);
    this.values = kept.map(([, value]) => value);
    this.head = 0;
    kept.forEach(([key], place) => this.places.set(key, this.dropped + place));
  }
}
