/** The prices of some machines: how many, the lowest and the highest, kept up as machines come and go. */
export class PriceRange {
  private readonly machines = new Map<number, number>();
  private total = 0;
  /** Undefined = to be found anew: its last machine has gone. */
  private lowest: number | undefined;
  private highest: number | undefined;

  get count(): number {
    return this.total;
  }

  /** Of no machine: 0. */
  get min(): number {
    return (this.lowest ??= extreme(this.machines.keys(), (a, b) => a < b));
  }

  get max(): number {
    return (this.highest ??= extreme(this.machines.keys(), (a, b) => a > b));
  }

  add(price: number): void {
    const isFirst = this.total === 0;
    this.machines.set(price, (this.machines.get(price) ?? 0) + 1);
    this.total++;
    if (isFirst || (this.lowest !== undefined && price < this.lowest)) this.lowest = price;
    if (isFirst || (this.highest !== undefined && price > this.highest)) this.highest = price;
  }

  remove(price: number): void {
    const left = (this.machines.get(price) ?? 0) - 1;
    if (left < 0) throw new Error(`no machine at price ${price}`);
    this.total--;
    if (left > 0) return void this.machines.set(price, left);
    this.machines.delete(price);
    if (price === this.lowest) this.lowest = undefined;
    if (price === this.highest) this.highest = undefined;
  }
}

function extreme(prices: Iterable<number>, isBetter: (a: number, b: number) => boolean): number {
  let best: number | undefined;
  for (const price of prices) if (best === undefined || isBetter(price, best)) best = price;
  return best ?? 0;
}
