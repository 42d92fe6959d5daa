import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { finish } from '../../lib/steps.ts';
import type { Tally } from '../decide/tally.ts';
import { changesOf, createEngine, planOnce } from '../engine.ts';
import { worlds } from '../testing/arbitraries.ts';
import { amounts, assignmentOf, bindTo, DOLLAR, machine, machinesChange, need, policy, T0, world } from '../testing/builders.ts';
import { arrivalKey } from '../keys.ts';
import { applyEdit, edits } from '../testing/edits.ts';
import { textOf } from '../testing/summary.ts';
import type { Engine, EngineMachine, Snapshot } from '../types.ts';
import { audit } from './audit.ts';
import type { Cluster } from './cluster.ts';
import { Facts } from './facts.ts';
import type { FrozenFacts } from './frozen-facts.ts';
import { Group, Shelf } from './group.ts';
import { IdleClocks } from './idle-clocks.ts';
import { ROLE } from './role.ts';

const own = need({ units: 4 });
const other = need({ cluster: 'c2', priority: 200 });

/** Something of everything that is kept. */
const EVERYTHING = world({
  needs: [own, other],
  machines: [
    machine('bound-1', 'Configured', { assigned: assignmentOf(own), priceMicroUsdPerHour: DOLLAR }), machine('bound-2', 'Configured', { assigned: assignmentOf(own) }), machine('configuring', 'Configuring', { assigned: assignmentOf(own) }),
    machine('draining', 'Draining'), machine('reserved', 'Draining'), machine('idle-1', 'Idle', { capacityType: 'OnDemand' }), machine('idle-2', 'Idle', { capacityType: 'OnDemand' }),
    machine('offer', 'Speculative'), machine('bought', 'Speculative', { intent: bindTo(own), priceMicroUsdPerHour: DOLLAR }), machine('promised', 'Idle', { intent: bindTo(other) }),
    machine('held', 'Idle', { intent: bindTo(own), hold: true }),
  ],
  memory: [
    { what: 'reservation', key: 'reserved', to: assignmentOf(other) }, { what: 'idleSince', key: 'idle-1', at: T0 }, { what: 'idleSince', key: 'idle-2', at: T0 + 1 },
    { what: 'idleSince', key: 'promised', at: T0 }, { what: 'idleSince', key: 'held', at: T0 },
  ],
});

function factsOf(snapshot: Snapshot): Facts {
  const facts = new Facts(snapshot.policy);
  for (const change of changesOf(snapshot)) facts.apply(change);
  return facts;
}

function slotIn({ inventory }: Facts, id: string): number {
  return inventory.slot(id) ?? expect.unreachable();
}

function groupIn(facts: Facts, id: string): Group<Tally> {
  return facts.inventory.groupOf[slotIn(facts, id)] ?? expect.unreachable();
}

/** What only the inventory itself may write. */
function columnsOf({ inventory }: Facts): { readonly roles: Uint8Array; readonly states: Uint8Array; readonly ids: string[] } {
  return inventory as unknown as ReturnType<typeof columnsOf>;
}

const demandIn = (facts: Facts) => facts.clusters.named('c1').demand ?? expect.unreachable();

describe('the audit of the facts', () => {
  it('has nothing to say of facts that are right', () => {
    const facts = factsOf(EVERYTHING);
    expect(facts.inventory.strayBindings.size).toBe(1);
    expect(finish(audit(facts))).toEqual([]);
    expect(finish(audit(facts))).toEqual([]); // and leaves them so
  });

  it.each<[figure: string, breakIt: (facts: Facts) => unknown]>([
    ['role (idle-1): 8 instead of 4', (facts) => (columnsOf(facts).roles[slotIn(facts, 'idle-1')] = ROLE.failed)],
    ['machines by state (Speculative): 2 instead of 1, and 1 more', (facts) => (columnsOf(facts).states[slotIn(facts, 'offer')] = 2)],
    ['group (bound-2): it is filed in another one', (facts) => (facts.inventory.groupOf[slotIn(facts, 'bound-2')] = groupIn(facts, 'bound-1'))],
    ['group (idle-1): it is filed in another one', (facts) => (facts.inventory.groupOf[slotIn(facts, 'idle-1')] = undefined)],
    ['group (bound-1): it is filed in another one, and 2 more', (facts) => Object.assign(facts.clusters.named('c1'), { bound: new Shelf<Tally>() })],
    ['size (a group of idle machines): 3 instead of 2', (facts) => groupIn(facts, 'idle-1').size++],
    ['members (a group of idle machines): 2 members and size 1', (facts) => groupIn(facts, 'idle-1').delete(slotIn(facts, 'idle-1'))],
    ['the order of machines (bound-2): 0 instead of 2', (facts) => (facts.inventory.rank[slotIn(facts, 'bound-2')] = 0)],
    ['the index of machines (zz): it is not found', (facts) => (columnsOf(facts).ids[slotIn(facts, 'reserved')] = 'zz')],
    ['outlay (paid, machines): 10 instead of 9', (facts) => facts.inventory.paid.add(1, 0)],
    ['outlay (promised, micro USD per hour): 1000005 instead of 1000000', (facts) => (facts.inventory.promisedPurchases.add(1, 5), facts.inventory.promisedPurchases.add(-1, 0))],
    ['usable machines (idle of a class of t1): 3 instead of 2', (facts) => facts.inventory.shape(slotIn(facts, 'idle-1')).class.usable.idle++],
    ['usable machines (configured of a class of t1): 0 instead of 1', (facts) => facts.inventory.shape(slotIn(facts, 'bound-1')).class.usable.configured--],
    ['configured machines (c1): 3 instead of 2', (facts) => facts.clusters.named('c1').configured++],
    ['drains (c1): 1 instead of 2', (facts) => facts.clusters.named('c1').drains--],
    ['machines by shape (t1): 3 instead of 2', (facts) => facts.inventory.shape(slotIn(facts, 'bound-1')).members++],
    [`machines by assignment (${arrivalKey('c1', own.fingerprint, '')}): 4 instead of 5`, (facts) => facts.inventory.assignments.at(facts.inventory.refs(slotIn(facts, 'bound-1'))[0]).machines--],
    ['stray bindings (held): it is missing', (facts) => facts.inventory.strayBindings.clear()],
    ['stray bindings (all): 2 instead of 1', (facts) => facts.inventory.strayBindings.add(slotIn(facts, 'offer'))],
    ['idle clocks (idle-1): it is missing, and 1 more', (facts) => Object.assign(facts.idleClocks, { OnDemand: new IdleClocks() })],
    ['idle clocks to check (idle-1): false instead of true', (facts) => (facts.inventory.idleSince[slotIn(facts, 'idle-1')] = Number.NaN)],
    ['idle clocks of unknown machines (idle-1): it is known', (facts) => facts.memory.strayIdleSince.set('idle-1', T0)],
    ['rank of a group (bound-1): 0,1,0,7,0 does not end in 1000000,-1', (facts) => Object.assign(groupIn(facts, 'bound-1'), { order: [0, 1, 0, 7, 0] })],
    ['shelves (c1): it has a group of configured machines in which there are none', (facts) => facts.clusters.named('c1').bound.add('x', new Group(facts.inventory, 'configured', 0, -1, [0]))],
    ['size (a group of leaving machines): 1 instead of 0', (facts) => {
      const [shelf] = facts.inventory.comingFreeShelves();
      shelf?.add('x', Object.assign(new Group(facts.inventory, 'leaving', 0, -1, [0]), { size: 1 }));
    }],
    ['shelves (c1): groups are out of order', (facts) => (facts.clusters.named('c1').bound.ties() as unknown[]).reverse()],
    ['age of demand (c1): 5 instead of Infinity', (facts) => Object.assign(demandIn(facts).rows[0] ?? {}, { arrival: 5 })],
    ['unseen demand (c1): false instead of true', (facts) => demandIn(facts).unseen.clear()],
    ['rows by demand (c1): 0 instead of 1', (facts) => demandIn(facts).byDemandKey.clear()],
    ['demand to be forgotten (c1): it is missing', (facts) => facts.memory.arrival.set(arrivalKey('c1', 'gone', ''), T0)],
  ])('finds: %s', (difference, breakIt) => {
    const facts = factsOf(EVERYTHING);
    expect(finish(audit(facts))).toEqual([]);
    breakIt(facts);
    expect(finish(audit(facts))?.join('\n')).toContain(difference);
  });

  it('finds what is kept of a group that nobody is in any more', () => {
    const facts = factsOf(EVERYTHING);
    const group = groupIn(facts, 'offer');
    facts.apply({ kind: 'machines', upserted: [machine('offer', 'Idle'), machine('offer-2', 'Speculative')], removed: [] });
    facts.apply({ kind: 'machines', upserted: [machine('offer-2', 'Idle')], removed: [] });
    group.size = 1;
    expect(finish(audit(facts))).toContain('size (a group of speculative machines): 1 instead of 0');
  });

  it('has nothing to say of an engine that is told bit by bit', () => {
    fc.assert(
      fc.property(worlds(), worlds(), edits, (snapshot, next, sequence) => {
        const engine = createEngine(snapshot.policy);
        for (const change of changesOf(snapshot)) engine.apply(change);
        let plan = engine.plan(T0);
        for (const edit of sequence) {
          applyEdit(edit, engine, plan, next);
          expect(finish(engine.audit())).toEqual([]);
          plan = engine.plan(T0);
          expect(finish(engine.audit())).toEqual([]);
        }
      }),
      { seed: 1, numRuns: 100 },
    );
  });
});

const MANY: readonly EngineMachine[] = Array.from({ length: 5_000 }, (_, i) => machine(`m${String(i).padStart(4, '0')}`, 'Idle', { allocatable: amounts({ cpu: 1 + (i % 3) }) }));

function engineOf(snapshot: Snapshot): Engine {
  const engine = createEngine(snapshot.policy);
  for (const change of changesOf(snapshot)) engine.apply(change);
  engine.plan(T0);
  return engine;
}

/** What the engine itself counts by, reached through what it lends to those who read it bit by bit. */
function clusterIn(engine: Engine, name: string): Cluster {
  return (engine.capture().machines as FrozenFacts).inventory.clusters.named(name);
}

describe('an audit that is made in steps', () => {
  it('says nothing if machines, demand, hints or memory are told between them', () => {
    for (const change of [machinesChange(machine('m0001', 'Configured')), { kind: 'needs', cluster: 'c1', needs: [] }, { kind: 'hints', cluster: 'c1', hints: [] }, { kind: 'memory', changes: [{ what: 'idleSince', key: 'm0001', at: T0 }] }] as const) {
      const engine = engineOf(world({ machines: MANY, needs: [own] }));
      clusterIn(engine, 'c1').configured++;
      const steps = engine.audit();
      expect(steps.next().done).toBe(false);
      engine.apply(change);
      expect(finish(steps)).toBeUndefined();
      expect(finish(engine.audit())).toContain(`configured machines (c1): ${change.kind === 'machines' ? '2 instead of 1' : '1 instead of 0'}`);
    }
  });

  it('goes on when sessions, the policy or the trust in supply change, or what is known already is told, and when others read the facts', () => {
    const engine = engineOf(world({ machines: MANY, needs: [own] }));
    clusterIn(engine, 'c1').configured++;
    const steps = engine.audit();
    expect(steps.next().done).toBe(false);
    engine.apply({ kind: 'session', cluster: 'new', connected: true });
    engine.apply({ kind: 'policy', policy: policy({ reclaimGraceSeconds: 7 }) });
    engine.apply({ kind: 'supply', trusted: false });
    engine.apply({ kind: 'needs', cluster: 'c1', needs: [own] });
    engine.snapshot();
    expect(finish(steps)).toEqual(['configured machines (c1): 1 instead of 0']);
  });
});

describe('facts that are rebuilt', () => {
  it('are those of a fresh engine', () => {
    const engine = engineOf(EVERYTHING);
    clusterIn(engine, 'c1').configured += 7;
    expect(finish(engine.audit())).toHaveLength(1);
    finish(engine.rebuild());
    expect(finish(engine.audit())).toEqual([]);
    expect(engine.snapshot()).toEqual(createdAnew(EVERYTHING).snapshot());
    expect(textOf(engine.plan(T0))).toBe(textOf(planOnce(EVERYTHING, T0)));
  });

  it('know what was told while it was done', () => {
    const engine = engineOf(world({ machines: MANY, needs: [own], sessions: ['c1'] }));
    const steps = engine.rebuild();
    expect(steps.next().done).toBe(false);
    engine.apply({ kind: 'session', cluster: 'c1', connected: false });
    steps.next();
    engine.apply({ kind: 'machines', upserted: [machine('new', 'Idle')], removed: ['m0000', 'm4999'] });
    expect(engine.plan(T0).stats.machines).toBe(MANY.length - 1); // meanwhile the old ones are read
    finish(steps);
    const known = engine.snapshot();
    expect(known.sessions.size).toBe(0);
    expect(known.machines.map(({ id }) => id)).toEqual([...MANY.slice(1, -1).map(({ id }) => id), 'new']);
    expect(finish(engine.audit())).toEqual([]);
    expect(textOf(engine.plan(T0))).toBe(textOf(planOnce(known, T0)));
  });
});

function createdAnew(snapshot: Snapshot): Engine {
  const engine = createEngine(snapshot.policy);
  for (const change of changesOf(snapshot)) engine.apply(change);
  return engine;
}
