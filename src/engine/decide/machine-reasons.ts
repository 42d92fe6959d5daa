/** Why each machine is where it is, worked out when it is asked for. */
import type { Cluster } from '../facts/cluster.ts';
import type { Group, Stretch } from '../facts/group.ts';
import type { Inventory } from '../facts/inventory.ts';
import { CONFIGURED, CREATING, IDLE, ROLE, SPECULATIVE, STATES } from '../facts/role.ts';
import type { MachineReason, MachineReasons, MachineState, Millis, Policy } from '../types.ts';
import type { Holders } from './holders.ts';
import type { PlanReasons } from './plan-reasons.ts';
import type { Tally } from './tally.ts';
import { whyIdle } from './release.ts';

/** Reasons that are known all together. */
export function reasonsOf(reasons: ReadonlyMap<string, MachineReason>): MachineReasons {
  return { get: (id) => reasons.get(id), changed: { [Symbol.iterator]: () => reasons.keys() }, [Symbol.iterator]: () => reasons.entries() };
}

/** Notes on the machines of a cluster who was credited with them; adds those for which that is news, and perhaps a few more, to `changed`. */
export function noteCredits(cluster: Cluster, inventory: Inventory, holders: Holders, changed: (readonly number[])[]): void {
  const { credited } = inventory;
  for (const shelf of cluster.shelves()) {
    for (const group of shelf.groups()) {
      if (group.isWhole) {
        const number = group.holder === undefined ? -1 : holders.of(group.holder.row);
        const news = group.noteWhole(number);
        for (const slot of news) credited[slot] = number;
        if (news.length > 0) changed.push(news);
        continue;
      }
      const parts = partsOf(group, holders);
      if (!group.noteParts(parts)) continue;
      const news: number[] = [];
      const { members } = group;
      let i = 0;
      for (const { holder, end } of parts) {
        for (; i < end; i++) {
          const slot = members[i] as number;
          if (credited[slot] === holder) continue;
          credited[slot] = holder;
          news.push(slot);
        }
      }
      changed.push(news);
    }
  }
}

/** Who has which of the group's machines, nobody's last. */
function partsOf({ shares, size }: Group<Tally>, holders: Holders): Stretch[] {
  const parts = shares.map(({ holder, end }) => ({ holder: holders.of(holder.row), end }));
  if ((parts.at(-1)?.end ?? 0) < size) parts.push({ holder: -1, end: size });
  return parts;
}

type Machines = Pick<Inventory, 'id' | 'slot' | 'slots' | 'role' | 'state' | 'shape' | 'owner' | 'credited' | 'idleSince' | 'isHeld'>;

export class ReasonsInPlan implements MachineReasons {
  readonly changed: Iterable<string>;
  readonly #inventory: Machines;
  readonly #policy: Policy;
  readonly #holders: Pick<Holders, 'at'>;
  readonly #special: PlanReasons;
  readonly #starts: Millis | undefined;
  /** One reason for all machines of a holder. */
  readonly #made = new Map<string, MachineReason>();

  /** `starts`: when idle clocks start that do not run yet; undefined = not all of them with this plan. */
  constructor(facts: { readonly inventory: Machines; readonly policy: Policy }, holders: Pick<Holders, 'at'>, special: PlanReasons, starts: Millis | undefined, changed: Iterable<string>) {
    this.#inventory = facts.inventory;
    this.#policy = facts.policy;
    this.#holders = holders;
    this.#special = special;
    this.#starts = starts;
    this.changed = changed;
  }

  get(machineId: string): MachineReason | undefined {
    const slot = this.#inventory.slot(machineId);
    return slot === undefined ? undefined : this.#of(slot);
  }

  *[Symbol.iterator](): Iterator<readonly [string, MachineReason]> {
    for (const slot of this.#inventory.slots()) {
      const reason = this.#of(slot);
      if (reason !== undefined) yield [this.#inventory.id(slot), reason];
    }
  }

  #of(slot: number): MachineReason | undefined {
    const special = this.#special.get(slot);
    if (special !== undefined) return special;
    const role = this.#inventory.role(slot);
    const holder = this.#inventory.credited[slot] as number;
    return holder >= 0 ? this.#served(holder, slot, role) : this.#byRole(slot, role);
  }

  #served(number: number, slot: number, role: number): MachineReason {
    const code = role === ROLE.reserved ? 'Reserved' : this.#inventory.state(slot) === CONFIGURED ? 'Serving' : 'InFlight';
    const key = `${code}${number}`;
    const known = this.#made.get(key);
    if (known !== undefined) return known;
    const reason: MachineReason = { code, ...this.#holders.at(number) };
    this.#made.set(key, reason);
    return reason;
  }

  #byRole(slot: number, role: number): MachineReason | undefined {
    const inventory = this.#inventory;
    const state = inventory.state(slot);
    const silent = state === SPECULATIVE;
    switch (role) {
      case ROLE.held:
        if (silent) return undefined;
        return { code: inventory.isHeld(slot) ? 'HeldByPerson' : 'SupplyUntrusted' };
      case ROLE.stuck:
        return silent ? undefined : { code: 'Stuck', state: STATES[state] as MachineState };
      case ROLE.failed:
        return { code: 'Failed' };
      case ROLE.pending:
        return { code: 'ArrivingForNobody' };
      case ROLE.bound:
      case ROLE.promised:
        // Nobody was credited with it, and it is too late or too early to take it back.
        return { code: 'ExcessConfiguring', cluster: inventory.owner(slot) };
      case ROLE.leaving:
        return { code: 'Leaving', cluster: inventory.owner(slot) };
      case ROLE.speculative:
        return undefined;
      default:
        if (state === CREATING) return { code: 'ArrivingForNobody' };
        return state === IDLE ? this.#idle(slot) : { code: 'Leaving', cluster: inventory.owner(slot) };
    }
  }

  #idle(slot: number): MachineReason {
    const since = this.#inventory.idleSince[slot] as number;
    return whyIdle(this.#inventory.shape(slot).capacityType, Number.isNaN(since) ? this.#starts : since, this.#policy);
  }
}
