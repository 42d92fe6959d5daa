/** The ordered pass by itself: which machines each Need was given. */
import { changesOf } from '../engine.ts';
import { Folding } from '../decide/fold.ts';
import { Market } from '../decide/market.ts';
import { servePass } from '../decide/ordered-pass.ts';
import type { Tally } from '../decide/tally.ts';
import { Facts } from '../facts/facts.ts';
import type { Group } from '../facts/group.ts';
import type { NeedRow } from '../facts/need-row.ts';
import type { EngineMachine, Need, NeedVerdict, Snapshot } from '../types.ts';

export interface Served {
  readonly row: NeedRow;
  /** Slots of the machines that were credited, picked or reserved; of these, those that were picked. */
  readonly slots: readonly number[];
  readonly picks: readonly number[];
  /** Slots of the machines that are taken from others. */
  readonly victims: readonly number[];
  /** Nothing is to be found any more. */
  readonly covered: boolean;
  readonly machine: (slot: number) => EngineMachine;
}

/** A gang that has no whole place, or may not buy what it lacks there. */
export function isIncomplete({ sameSatisfiable, satisfied, preemption }: Pick<NeedVerdict, 'sameSatisfiable' | 'satisfied' | 'preemption'>): boolean {
  return sameSatisfiable !== undefined && !satisfied && preemption === undefined;
}

/** Bound, or decided, for the gang, or for one of its name for which nobody asks any more. */
export function isOwn({ assigned, intent }: EngineMachine, { cluster, fingerprint, group }: Need, { needs }: Snapshot): boolean {
  const to = assigned ?? (intent?.kind === 'bind' ? intent.to : undefined);
  if (to?.cluster !== cluster || to.group !== group) return false;
  return to.fingerprint === fingerprint || (group !== '' && needs.get(cluster)?.some((asked) => asked.group === group && asked.fingerprint === to.fingerprint) !== true);
}

export function served(world: Snapshot): Served[] {
  const facts = new Facts(world.policy);
  for (const change of changesOf(world)) facts.apply(change);
  while (facts.inventory.settle(1));
  const clusters = [...facts.clusters.all()].sort((a, b) => (a.name < b.name ? -1 : 1));
  const market = new Market(facts, 1, () => false);
  const folding = new Folding(facts);
  folding.update();
  const tallies = servePass(market, new Map(clusters.map((cluster) => [cluster, { rows: folding.rowsOf(cluster), next: 0 }])));
  const groups: Group<Tally>[] = [...market.drawnOn, ...clusters.flatMap((c) => [...c.shelves()].flatMap((shelf) => [...shelf.groups()]))];
  const result = tallies.map((tally) => ({
    row: tally.row,
    slots: groups.flatMap(({ members, shares }) =>
      shares.flatMap(({ holder, end }, i) => (holder === tally ? members.slice(shares[i - 1]?.end ?? 0, end) : [])),
    ),
    victims: tally.victims.map(({ slot }) => slot),
    picks: [...tally.idle, ...tally.bought],
    covered: tally.covered,
    machine: (slot: number) => facts.inventory.machine(slot),
  }));
  market.close();
  return result;
}
