/** What an audit has found: of each kind of figure the first difference, and how many there are. */
export class Differences {
  readonly #byFigure = new Map<string, { readonly first: string; times: number }>();

  compare(figure: string, of: string, kept: number | boolean | undefined, said: number | boolean): void {
    if (kept !== said) this.add(figure, of, `${kept} instead of ${said}`);
  }

  add(figure: string, of: string, what: string): void {
    const known = this.#byFigure.get(figure);
    if (known === undefined) this.#byFigure.set(figure, { first: `${figure} (${of}): ${what}`, times: 1 });
    else known.times++;
  }

  inWords(): readonly string[] {
    return [...this.#byFigure.values()].map(({ first, times }) => (times === 1 ? first : `${first}, and ${times - 1} more`));
  }
}
