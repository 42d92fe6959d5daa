/** What the engine knew at one moment. Taking it copies columns; the objects are made bit by bit, while the engine goes on. */
import { compareText } from '../../lib/compare-text.ts';
import { inSteps, PER_STEP } from '../../lib/steps.ts';
import type { Assignment, EngineMachine, MemoryChange, Millis, Need, NodeHint, Policy, Snapshot } from '../types.ts';
import type { Clusters, HintsById } from './cluster.ts';
import type { Demand } from './demand.ts';
import type { FrozenMachines } from './frozen-machines.ts';
import type { Inventory } from './inventory.ts';
import { sortMemoryChanges } from './memory.ts';
import type { Memory } from './memory.ts';
import { identityOf } from './need-row.ts';

interface FrozenCluster {
  readonly name: string;
  readonly demand: Demand | undefined;
  readonly hints: HintsById | null | undefined;
  readonly connected: boolean;
}

export class FrozenFacts {
  readonly inventory: FrozenMachines;
  readonly policy: Policy;
  readonly #supplyTrusted: boolean;
  /** Demand and hints are replaced as a whole, so that references keep them. */
  readonly #clusters: readonly FrozenCluster[];
  readonly #memory: Omit<Memory, 'arrivalsToCheck'>;
  readonly #reservations: readonly [id: string, to: Assignment][];

  constructor(facts: { readonly inventory: Inventory; readonly clusters: Clusters; readonly memory: Memory; readonly policy: Policy; readonly supplyTrusted: boolean }) {
    const { inventory, clusters, memory, policy, supplyTrusted } = facts;
    while (inventory.settle(Number.POSITIVE_INFINITY));
    this.inventory = inventory.freeze();
    this.policy = policy;
    this.#supplyTrusted = supplyTrusted;
    this.#clusters = clusters.all().map(({ name, demand, hints, connected }) => ({ name, demand, hints, connected })).sort((a, b) => compareText(a.name, b.name));
    this.#memory = {
      arrival: new Map(memory.arrival), leftOverSince: new Map(memory.leftOverSince), reclaims: new Map(memory.reclaims), strayIdleSince: new Map(memory.strayIdleSince),
    };
    this.#reservations = [...inventory.reservations()];
  }

  /** The machines, by id. */
  *[Symbol.iterator](): Generator<EngineMachine, void> {
    for (const slot of this.inventory.slots()) yield this.inventory.machine(slot);
  }

  *rest(): Generator<undefined, Omit<Snapshot, 'machines'>> {
    const needs = new Map<string, readonly Need[]>();
    const hints = new Map<string, readonly NodeHint[] | null>();
    let looked = 0;
    for (const { name, demand, hints: known } of this.#clusters) {
      if (demand !== undefined) needs.set(name, needsOf(demand));
      if (known !== undefined) hints.set(name, known && sortedHints(known));
      looked += (demand?.rows.length ?? 0) + (known?.size ?? 0);
      if (looked < PER_STEP) continue;
      looked = 0;
      yield;
    }
    return {
      needs,
      hints,
      sessions: new Set(this.#clusters.flatMap(({ name, connected }) => (connected ? [name] : []))),
      supplyTrusted: this.#supplyTrusted,
      policy: this.policy,
      memory: yield* this.#allMemory(),
    };
  }

  *#allMemory(): Generator<undefined, MemoryChange[]> {
    const all: MemoryChange[] = [];
    for (const what of ['arrival', 'leftOverSince', 'reclaims'] as const) {
      yield* inSteps<[string, unknown]>(this.#memory[what], ([key, at]) => all.push({ what, key, at } as MemoryChange));
    }
    for (const [key, at] of this.#memory.strayIdleSince) all.push({ what: 'idleSince', key, at });
    yield* inSteps(this.inventory.slots(), (slot) => {
      const at: Millis = this.inventory.idleSince[slot] as number;
      if (!Number.isNaN(at)) all.push({ what: 'idleSince', key: this.inventory.id(slot), at });
    });
    for (const [key, to] of this.#reservations) all.push({ what: 'reservation', key, to });
    return yield* sortMemoryChanges(all);
  }
}

function needsOf(demand: Demand): readonly Need[] {
  const byIdentity = demand.rows.map((row) => ({ identity: identityOf(row), need: row.need }));
  return byIdentity.sort((a, b) => compareText(a.identity, b.identity)).map(({ need }) => need);
}

function sortedHints(hints: HintsById): readonly NodeHint[] {
  return [...hints.values()].sort((a, b) => compareText(a.machineId, b.machineId));
}
