import type { Millis } from '../engine/types.ts';

/** A spell of not being served: since when, and since which cycle. */
export interface UnmetSpell {
  readonly since: Millis;
  readonly sinceCycle: number;
}

/** Spells by row, of one kind of trouble, and which of them began or ended with the last plan. */
export class Spells {
  private readonly current = new Map<string, UnmetSpell>();
  private readonly begun = new Set<string>();
  private readonly ended = new Map<string, UnmetSpell>();

  get size(): number {
    return this.current.size;
  }

  keys(): Iterable<string> {
    return this.current.keys();
  }

  get(key: string): UnmetSpell | undefined {
    return this.current.get(key);
  }

  /** Another plan was made: what began or ended before is no news. */
  turn(): void {
    this.begun.clear();
    this.ended.clear();
  }

  begin(key: string, spell: UnmetSpell): void {
    this.current.set(key, spell);
    this.begun.add(key);
  }

  end(key: string): void {
    const spell = this.current.get(key);
    if (!spell) return;
    this.ended.set(key, spell);
    this.current.delete(key);
  }

  /** A row that one trouble follows another at was not served meanwhile: what began now is as old as what ended, or goes on. */
  continue(others: readonly Spells[]): void {
    for (const key of this.begun) {
      for (const other of others) {
        const [mine, earlier] = [this.current.get(key), other.ended.get(key) ?? other.current.get(key)];
        if (mine && earlier && earlier.since < mine.since) this.current.set(key, earlier);
      }
    }
  }
}
