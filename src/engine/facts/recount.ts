/** The sums that are kept over machines, counted anew machine by machine. */
import { inSteps } from '../../lib/steps.ts';
import type { Clusters } from './cluster.ts';
import type { Differences } from './differences.ts';
import type { Inventory } from './inventory.ts';
import { Outlay } from './outlay.ts';
import { BIND, CONFIGURED, CREATING, IDLE, isDrain, ROLE, SPECULATIVE, STATES, staysWhenFreed } from './role.ts';
import type { MachineClass } from './shapes.ts';

type Usable = MachineClass['usable'];

export class Recount {
  readonly #inventory: Inventory;
  readonly #inState = STATES.map(() => 0);
  readonly #paid = new Outlay();
  readonly #promisedPurchases = new Outlay();
  /** By class, by cluster, by shape and by assignment. */
  readonly #usable: (Usable | undefined)[] = [];
  readonly #clusters: ({ configured: number; drains: number } | undefined)[] = [];
  readonly #shapes: (number | undefined)[] = [];
  readonly #assignments: (number | undefined)[] = [];

  constructor(inventory: Inventory) {
    this.#inventory = inventory;
  }

  add(slot: number, role: number): void {
    const inventory = this.#inventory;
    const shape = inventory.shape(slot);
    const state = inventory.state(slot);
    const intent = inventory.intent(slot);
    this.#inState[state] = (this.#inState[state] as number) + 1;
    if (inventory.isPaid(slot)) this.#paid.add(1, shape.priceMicroUsdPerHour);
    if (state === SPECULATIVE && intent === BIND) this.#promisedPurchases.add(1, shape.priceMicroUsdPerHour);
    this.#shapes[shape.index] = (this.#shapes[shape.index] ?? 0) + 1;
    for (const ref of inventory.refs(slot)) this.refer(ref);
    const usable = (this.#usable[shape.class.index] ??= { idle: 0, speculative: 0, configured: 0 });
    const use = useOf(state, role, intent);
    if (use !== undefined) usable[use]++;
    const owner = inventory.ownerRef(slot);
    if (owner < 0) return;
    const cluster = (this.#clusters[owner] ??= { configured: 0, drains: 0 });
    if (state === CONFIGURED) cluster.configured++;
    if (isDrain(state, intent)) cluster.drains++;
  }

  /** Somebody has this assignment; -1 = none. */
  refer(ref: number): void {
    if (ref >= 0) this.#assignments[ref] = (this.#assignments[ref] ?? 0) + 1;
  }

  *compareWith(clusters: Clusters, differences: Differences): Generator<undefined, void> {
    const { paid, promisedPurchases, shapes, assignments } = this.#inventory;
    const byState = this.#inventory.byState();
    STATES.forEach((state, i) => differences.compare('machines by state', state, byState[state], this.#inState[i] as number));
    for (const [of, kept, said] of [['paid', paid, this.#paid], ['promised', promisedPurchases, this.#promisedPurchases]] as const) {
      differences.compare('outlay', `${of}, machines`, kept.machines, said.machines);
      differences.compare('outlay', `${of}, micro USD per hour`, kept.microUsdPerHour, said.microUsdPerHour);
    }
    for (const { index, usable, instanceType } of shapes.classes()) {
      const said = this.#usable[index];
      for (const use of ['idle', 'speculative', 'configured'] as const) differences.compare('usable machines', `${use} of a class of ${instanceType}`, usable[use], said?.[use] ?? 0);
    }
    for (const { index, name, configured, drains } of clusters.all()) {
      const said = this.#clusters[index];
      differences.compare('configured machines', name, configured, said?.configured ?? 0);
      differences.compare('drains', name, drains, said?.drains ?? 0);
    }
    this.#shapes.forEach((machines, i) => differences.compare('machines by shape', shapes.shape(i).instanceType, shapes.shape(i).members, machines ?? 0));
    yield;
    yield* inSteps(this.#assignments.keys(), (i) => {
      const machines = this.#assignments[i];
      if (machines !== undefined) differences.compare('machines by assignment', assignments.at(i).demandKey, assignments.at(i).machines, machines);
    });
  }
}

/** As what the machine counts among those that match a row; undefined = not. */
function useOf(state: number, role: number, intent: number): keyof Usable | undefined {
  if (role === ROLE.held || role === ROLE.stuck) return undefined;
  if (role === ROLE.leaving) return staysWhenFreed(state, intent) ? 'configured' : undefined;
  if (state === IDLE) return 'idle';
  if (state === SPECULATIVE) return 'speculative';
  return role === ROLE.bound || role === ROLE.reserved || state === CREATING ? 'configured' : undefined;
}
