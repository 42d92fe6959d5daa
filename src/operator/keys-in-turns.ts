const PER_TURN = 200;

/**
 * Visits keys in the order in which they came: at once while they are few, and beyond that in later turns of the event loop, so
 * that news about every Pod of a large cluster holds nobody up (D10). A key that waits is not taken down a second time.
 */
export class KeysInTurns {
  private readonly visit: (key: string) => void;
  private readonly waiting = new Set<string>();
  private isVisiting = false;

  constructor(visit: (key: string) => void) {
    this.visit = visit;
  }

  add(keys: Iterable<string>): void {
    for (const key of keys) this.waiting.add(key);
    if (!this.isVisiting && this.waiting.size > 0) this.turn();
  }

  private turn(): void {
    this.isVisiting = true;
    let left = PER_TURN;
    for (const key of this.waiting) {
      if (left-- === 0) break;
      this.waiting.delete(key);
      this.visit(key);
    }
    this.isVisiting = this.waiting.size > 0;
    if (this.isVisiting) setImmediate(() => this.turn());
  }
}
