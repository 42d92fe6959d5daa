/** Which of a cluster's machines are a gang's own: those that it would have to give up in order to share a larger one. */
import { attribute } from '../match.ts';
import type { Cluster } from '../facts/cluster.ts';
import type { Facts } from '../facts/facts.ts';
import type { Group } from '../facts/group.ts';
import type { FoldTarget, NeedRow } from '../facts/need-row.ts';
import type { MachineClass } from '../facts/shapes.ts';
import { addUpTo } from './gang-domain.ts';
import type { Tally } from './tally.ts';

type Groups = Group<Tally>[];

export class OwnMachines {
  readonly #cluster: Cluster;
  readonly #facts: Facts;
  /** By the demand that they were bound for. */
  readonly #byDemand = new Map<string, Groups>();
  /** By the group of a demand that the cluster no longer has: the gang may have changed its profile since. */
  readonly #byFormerGroup = new Map<string, Groups>();
  /** Nobody knows for whom they were bound. */
  readonly #unknown: Groups = [];

  constructor(cluster: Cluster, facts: Facts) {
    this.#cluster = cluster;
    this.#facts = facts;
    for (const group of cluster.bound.groups()) this.#file(group);
  }

  /** Several machines of its own, none of which holds all of it, serve the whole gang in one domain, or will. */
  hold(gang: NeedRow, { asker }: FoldTarget): boolean {
    const small = this.#facts.fit(gang.asker).accepts;
    const large = this.#facts.fit(asker).accepts;
    const held = new Map<string, number[]>();
    for (const group of this.#of(gang)) {
      const cls = this.#facts.inventory.shapes.class(group.classIndex) as MachineClass;
      const domain = attribute(gang.sameKey ?? '', cls);
      if (domain === undefined || small[cls.index] !== 1 || large[cls.index] === 1) continue;
      const sums = held.get(domain) ?? gang.dims.map(() => 0);
      held.set(domain, sums.map((sum, i) => addUpTo(sum, group.size, cls.amounts[gang.dims[i] as number] ?? 0)));
    }
    return [...held.values()].some((sums) => gang.wanted.every((wanted, i) => (sums[i] as number) >= wanted));
  }

  #file(group: Group<Tally>): void {
    if (group.assigned < 0) {
      this.#unknown.push(group);
      return;
    }
    const { demandKey, to } = this.#facts.inventory.assignments.at(group.assigned);
    if (this.#cluster.demand?.byDemandKey.has(demandKey) === true) add(this.#byDemand, demandKey, group);
    else if (to.group !== '') add(this.#byFormerGroup, to.group, group);
  }

  #of({ demandKey, need }: NeedRow): Groups {
    const arriving = this.#cluster.promised.get(demandKey)?.groups() ?? [];
    return [...(this.#byDemand.get(demandKey) ?? []), ...(this.#byFormerGroup.get(need.group) ?? []), ...this.#unknown, ...arriving];
  }
}

function add(to: Map<string, Groups>, key: string, group: Group<Tally>): void {
  const known = to.get(key);
  if (known === undefined) to.set(key, [group]);
  else known.push(group);
}
