import type { Random } from '../../src/lib/random.ts';

export interface Kill {
  readonly name: string;
  /** Since the demand began. */
  readonly atMs: number;
}

/** The supervisor gives up on a process that dies five times within ten seconds; that is not what is looked at here. */
const SPELL_MS = 12_000;
const MOST_IN_A_SPELL = 3;
const FIRST_MS = 2_000;

/** Who is killed and when, one after the other, at random moments `spacingMs` apart on average. */
export function planKills(random: Random, names: readonly string[], count: number, spacingMs: number): Kill[] {
  const kills: Kill[] = [];
  for (let atMs = FIRST_MS; kills.length < count; atMs += Math.round(spacingMs * 2 * random())) {
    const fit = names.filter((name) => kills.filter((kill) => kill.name === name && atMs - kill.atMs < SPELL_MS).length < MOST_IN_A_SPELL);
    const name = fit[Math.floor(random() * fit.length)];
    if (name !== undefined) kills.push({ name, atMs });
  }
  return kills;
}
