/** The lowest priority that is served where something may be taken: who does not rank above it need not search for victims. */
import type { Cluster } from '../facts/cluster.ts';
import type { Fit } from '../facts/fit.ts';
import type { Stretch } from './forecast.ts';

/** The lowest values of two clusters, because nobody takes from their own. */
class Lows {
  #first = Infinity;
  #firstBy: Cluster | undefined;
  #second = Infinity;
  #secondBy: Cluster | undefined;

  note(value: number, by: Cluster | undefined): void {
    if (by === this.#firstBy) this.#first = Math.min(this.#first, value);
    else if (value < this.#first) {
      [this.#second, this.#secondBy] = [this.#first, this.#firstBy];
      [this.#first, this.#firstBy] = [value, by];
    } else if (value < this.#second) [this.#second, this.#secondBy] = [value, by];
  }

  noteAll(of: Lows): void {
    this.note(of.#first, of.#firstBy);
    this.note(of.#second, of.#secondBy);
  }

  besides(own: Cluster): number {
    return own === this.#firstBy ? this.#second : this.#first;
  }
}

export class LowestServed {
  readonly #noted = new Set<Cluster>();
  readonly #byClass: Lows[] = [];
  readonly #byFit = new Map<Fit, Lows>();

  /** How many clusters are noted. */
  get clusters(): number {
    return this.#noted.size;
  }

  has(cluster: Cluster): boolean {
    return this.#noted.has(cluster);
  }

  /** Once per cluster. What nobody is credited with is below everything. */
  note(cluster: Cluster, stretches: readonly Stretch[]): void {
    this.#noted.add(cluster);
    this.#byFit.clear();
    for (const { group, holder } of stretches) this.noteOne(cluster, group.classIndex, holder?.need.profile.priority ?? -Infinity);
  }

  noteOne(cluster: Cluster, classIndex: number, priority: number): void {
    (this.#byClass[classIndex] ??= new Lows()).note(priority, cluster);
  }

  /** Of machines that fit, in other clusters than `own`; Infinity = there are none. */
  of(fit: Fit, own: Cluster): number {
    let lows = this.#byFit.get(fit);
    if (lows === undefined) {
      lows = new Lows();
      for (const { index } of fit.classes) {
        const ofClass = this.#byClass[index];
        if (ofClass !== undefined) lows.noteAll(ofClass);
      }
      this.#byFit.set(fit, lows);
    }
    return lows.besides(own);
  }
}
