import type { Random } from '../../src/lib/random.ts';
import type { Timeline } from '../world/timeline.ts';
import type { Transcript } from '../world/transcript.ts';
import { FAULT_KINDS, KINDS } from './kinds.ts';
import type { FaultKind } from './kinds.ts';

/** Of all kinds of faults this share is switched on in one world: few together tell more than all of them at once. */
const SHARE = 0.4;
const OCCASION_MS = 20_000;

/** Decides, by the seed alone, which faults strike and when. */
export class Faults {
  readonly counts = new Map<FaultKind, number>();
  /** Nothing strikes while this is false. */
  active = false;
  private readonly random: Random;
  private readonly transcript: Transcript;
  private readonly rates = new Map<FaultKind, number>();

  constructor(random: Random, transcript: Transcript) {
    this.random = random;
    this.transcript = transcript;
    for (const kind of KINDS) {
      // Occasions of this one are rare: only processes that live on for a while list everything again.
      const isOn = random() < (kind === 'list shrunk' ? 1 : SHARE);
      const factor = 0.5 + 1.5 * random();
      if (isOn) this.rates.set(kind, FAULT_KINDS[kind] * factor);
    }
  }

  get kinds(): readonly FaultKind[] {
    return [...this.rates.keys()];
  }

  isOn(kind: FaultKind): boolean {
    return this.rates.has(kind);
  }

  /** Asked at every occasion. */
  strikes(kind: FaultKind, at: string, factor = 1): boolean {
    const rate = this.rates.get(kind);
    if (!this.active || rate === undefined || this.random() >= rate * factor) return false;
    this.struck(kind, at);
    return true;
  }

  /** For what needs no occasion: thought of now and then. `strike` says what it did, or nothing if there was nothing to do. */
  every(timeline: Timeline, kind: FaultKind, strike: () => string | undefined): void {
    const rate = this.rates.get(kind);
    if (rate === undefined) return;
    timeline.after(OCCASION_MS * (0.2 + 1.6 * this.random()), () => {
      if (!this.active) return;
      if (this.random() < rate) {
        const what = strike();
        if (what !== undefined) this.struck(kind, what);
      }
      this.every(timeline, kind, strike);
    });
  }

  struck(kind: FaultKind, at: string): void {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
    this.transcript.add('FAULT', `${kind}: ${at}`);
  }

  /** A number from `low` up to `high`. */
  between(low: number, high: number): number {
    return low + (high - low) * this.random();
  }

  pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.random() * items.length)] as T;
  }

  chance(probability: number): boolean {
    return this.random() < probability;
  }
}
