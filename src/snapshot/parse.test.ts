import { describe, expect, it } from 'vitest';
import { planOnce } from '../engine/engine.ts';
import { idsOf } from '../engine/testing/summary.ts';
import { DEFAULT_AT, DEFAULT_POLICY } from './document.ts';
import { parseSnapshot } from './parse.ts';

const GPU = {
  shapes: { gpu: { 'nvidia.com/gpu': '8' } },
  profiles: { G: { priority: 10, requirements: [{ key: 'node.kubernetes.io/instance-type', values: ['a3'] }] } },
  machines: [{ id: 'gpu{000..063}', instanceType: 'a3', allocatable: 'gpu' }],
};

describe('a snapshot written by hand', () => {
  it('may leave out everything', () => {
    const { at, snapshot } = parseSnapshot('{}');
    expect(at).toBe(DEFAULT_AT);
    expect(snapshot).toEqual({ machines: [], needs: new Map(), hints: new Map(), sessions: new Set(), supplyTrusted: true, policy: DEFAULT_POLICY, memory: [] });
  });

  it('stays small for a large fleet', () => {
    const { at, snapshot } = parseSnapshot({ ...GPU, at: '2027-01-15T09:00:00+01:00', clusters: { train: { needs: [{ profile: 'G', minUnit: 'gpu', units: 3 }] }, idle: {} } });
    expect(at).toBe(DEFAULT_AT);
    expect(snapshot.machines).toHaveLength(64);
    expect([...snapshot.needs.keys()]).toEqual(['idle', 'train']);
    expect(idsOf(planOnce(snapshot, at), 'Bootstrap')).toEqual(['gpu000', 'gpu001', 'gpu002']);
  });

  it('reads amounts in the base unit, demand rounded up and capacity down', () => {
    const { snapshot } = parseSnapshot({
      shapes: { odd: { memory: '0.0001Gi', cpu: '1.0001' } },
      machines: [{ id: 'm', allocatable: 'odd' }],
      clusters: { c: { needs: [{ minUnit: 'odd' }] } },
    });
    expect(snapshot.machines[0]?.allocatable).toEqual([['cpu', 1000], ['memory', 107374]]);
    expect(snapshot.needs.get('c')?.[0]?.minUnit).toEqual([['cpu', 1001], ['memory', 107375]]);
  });

  it('puts what is written over the defaults of the document', () => {
    const { snapshot } = parseSnapshot({
      defaults: { machine: { zone: 'za', state: 'Speculative' }, need: { units: 4 }, profile: { priority: 7 } },
      machines: [{ id: 'a' }, { id: 'b', zone: 'zb' }],
      clusters: { c: { needs: [{}, { group: 'g', units: 1 }] } },
    });
    expect(snapshot.machines.map(({ zone, state }) => [zone, state])).toEqual([['za', 'Speculative'], ['zb', 'Speculative']]);
    expect(snapshot.needs.get('c')?.map(({ aggregate, profile }) => [aggregate, profile.priority])).toEqual([[[['cpu', 4000]], 7], [[['cpu', 1000]], 7]]);
  });

  it('says for whom a machine is bound by the name of a profile, and lets single fields win', () => {
    const { snapshot } = parseSnapshot({ ...GPU, machines: [{ id: 'm', state: 'Configured', cluster: 'c', assigned: { profile: 'G', priority: 3 } }] });
    expect(snapshot.machines[0]?.assigned).toEqual({
      cluster: 'c', fingerprint: 'p=10|ipb=1|rpb=1|reqs=node.kubernetes.io/instance-type:1:a3;|spr=', group: '', priority: 3, interruptionBucket: 1, reclamationBucket: 1,
    });
  });

  it('takes the times of reclaims in any order', () => {
    const read = (...reclaims: number[]) => parseSnapshot({ memory: { reclaims: { c: reclaims } } }).snapshot.memory;
    expect(read(3, 20, 1)).toEqual(read(1, 3, 20));
  });

  it('may have rows of two demands that could not be counted together', () => {
    const needs = [{ units: 6e12 }, { units: 6e12, group: 'g' }, { units: 6e12, profile: { priority: 1 } }];
    expect(() => parseSnapshot({ clusters: { c: { needs } } })).not.toThrow();
  });

  it('finds a machine by a label of any name', () => {
    const needs = [{ profile: { requirements: [{ key: '__proto__', values: ['x'] }] } }];
    const { snapshot, at } = parseSnapshot(`{"machines": [{"id": "m", "labels": {"__proto__": "x"}}, {"id": "n"}], "clusters": {"c": {"needs": ${JSON.stringify(needs)}}}}`);
    expect(idsOf(planOnce(snapshot, at), 'Bootstrap')).toEqual(['m']);
  });
});

describe('a machine that no need is credited with', () => {
  const preempted = (assigned: object) => {
    const document = { machines: [{ id: 'm', state: 'Configured', cluster: 'b', ...assigned }], clusters: { a: { needs: [{}] }, b: { hints: [{ machineId: 'm', pods: 1 }] } } };
    const { snapshot, at } = parseSnapshot(document);
    return planOnce(snapshot, at).actions.map(({ kind, machineId, graceSeconds }) => [kind, machineId, graceSeconds]);
  };

  it('ranks below every priority if the document does not say for whom it is bound, also while Pods run on it', () => {
    expect(preempted({})).toEqual([['Preempt', 'm', 10]]);
  });

  it('is patient with them otherwise for whom does not rank above', () => {
    expect(preempted({ assigned: {} })).toEqual([]);
  });
});

describe('what is wrong with a document is said', () => {
  it.each([
    ['{', '', 'this is no JSON: '],
    ['{"machines": [{"id": "a"}], "machines": []}', 'machines', 'is written twice in one object'],
    [[], '', 'found [], expected an object'],
    [{ format: 'v0' }, 'format', 'found "v0", expected "bigfleet.engine.snapshot/v1"'],
    [{ machine: [] }, 'machine', 'is no field here (did you mean "machines"?); the fields are format, at,'],
    [{ machines: [{ id: 'a', state: 'Idel' }] }, 'machines[0].state', 'found "Idel", expected one of Speculative, Creating, Idle, Configuring, Configured, Draining, Deleting, Failed (did you mean "Idle"?)'],
    [{ machines: [{ id: 'a' }, { id: 'b', price: 4 }] }, 'machines[1].price', 'is no field here'],
    [{ machines: [{ id: 'a', priceMicroUsdPerHour: 0.5 }] }, 'machines[0].priceMicroUsdPerHour', 'found 0.5, expected whole micro-USD per hour'],
    [{ machines: [{ id: 'a', priceMicroUsdPerHour: '$5' }] }, 'machines[0].priceMicroUsdPerHour', 'found "$5", expected whole micro-USD'],
    [{ machines: [{ state: 'Idle' }] }, 'machines[0].id', 'found nothing, expected a name, a pattern'],
    [{ machines: [{ id: 'a{1..3}' }, { id: 'a2' }] }, 'machines[1]', 'machine "a2" occurs twice'],
    [{ machines: [{ id: 'a', state: 'Configured' }] }, 'machines[0]', 'needs a cluster'],
    [{ machines: [{ id: 'a', allocatable: 'gpo' }], shapes: { gpu: {} } }, 'machines[0].allocatable', '"gpo" is not among the shapes of this document (did you mean "gpu"?)'],
    [{ machines: [{ id: 'a', allocatable: { cpu: '4 cores' } }] }, 'machines[0].allocatable', '"4 cores" is not a quantity'],
    [{ machines: [{ id: 'a', allocatable: { cpu: true } }] }, 'machines[0].allocatable.cpu', 'found true, expected a quantity'],
    [{ machines: [{ id: 'a', intent: 'drain' }] }, 'machines[0].intent', 'expected one of unbind, release, or an object with "bind"'],
    [{ machines: [{ id: 'a', intent: { bind: {} } }] }, 'machines[0].intent.bind', 'a binding needs a cluster'],
    [{ machines: [{ id: 'a', interruptionProbability: 1.5 }] }, 'machines[0].interruptionProbability', 'expected a probability'],
    [{ clusters: { 'team-a': { need: [] } } }, 'clusters["team-a"].need', '(did you mean "needs"?)'],
    [{ clusters: { c: { reported: false, needs: [] } } }, 'clusters.c.needs', 'has not reported'],
    [{ clusters: { c: { needs: [{ units: 1, aggregate: {} }] } } }, 'clusters.c.needs[0].units', 'either how many units or the aggregate'],
    [{ clusters: { c: { needs: [{ units: 1e15 }] } } }, 'clusters.c.needs[0].units', 'more cpu than can be counted exactly'],
    [{ clusters: { c: { needs: [{ units: 6e12 }, { units: 6e12 }] } } }, 'clusters.c.needs', 'rows of one demand are more cpu together than can be counted exactly'],
    [{ clusters: { c: { needs: [{ minUnit: {}, aggregate: { cpu: '1' } }] } } }, 'clusters.c.needs[0].minUnit', 'must name what every machine has to cover'],
    [{ clusters: { c: { hints: [{ machineId: 'm{1..2}' }, { machineId: 'm2' }] } } }, 'clusters.c.hints', 'machine "m2" has two hints'],
    [{ profiles: { p: { interruptionBucket: 28 } } }, 'profiles.p.interruptionBucket', 'found 28, expected the number of a penalty bucket'],
    [{ profiles: { p: { requirements: [{ operator: 'Gt', key: 'a' }] } } }, 'profiles.p.requirements[0].operator', 'found "Gt", expected one of In'],
    [{ profiles: { p: { requirements: [{ key: 'arch' }] } } }, 'profiles.p.requirements[0].values', 'In compares with values; write "values": [...], or ask'],
    [{ clusters: { c: { needs: [{ profile: { requirements: [{ key: 'arch', operator: 'NotIn' }] } }] } } }, 'clusters.c.needs[0].profile.requirements[0].values', 'NotIn compares with values'],
    [{ clusters: { c: { needs: [{ unitClass: 'big' }] } } }, 'clusters.c.needs[0].unitClass', 'found "big", expected the class of a unit as the program writes it, such as "cpu=6,memory=7"; or leave it out'],
    [{ clusters: { c: { needs: [{ unitClass: 6 }] } } }, 'clusters.c.needs[0].unitClass', 'found 6, expected the class of a unit'],
    [{ machines: [{ id: 'a', state: 'Configured', cluster: 'c', assigned: { unitClass: 'cpu=4000m' } }] }, 'machines[0].assigned.unitClass', 'found "cpu=4000m", expected the class of a unit'],
    [{ policy: { reclaimCapFraction: 5 } }, 'policy.reclaimCapFraction', 'expected a share'],
    [{ policy: { preemptionGraceSeconds: [1, 2] } }, 'policy.preemptionGraceSeconds', 'expected four graces'],
    [{ profiles: { p: { requirements: [{ key: 'rack', operator: 'Same' }, { key: 'zone', operator: 'Same' }] } } }, 'profiles.p.requirements', 'Same is asked for "rack" and "zone"; keep one of them'],
    [{ profiles: { p: { spread: [{ topologyKey: 'zone', maxSkew: 0 }] } } }, 'profiles.p.spread[0].maxSkew', 'found 0, expected a whole number of at least 1'],
    [{ at: 1e99 }, 'at', 'found 1e+99, expected Unix milliseconds'],
    [{ at: 253_402_300_800_000 }, 'at', 'to the end of year 9999'],
    [{ at: -1 }, 'at', 'found -1, expected Unix milliseconds'],
    [{ at: 'yesterday' }, 'at', 'expected Unix milliseconds or a time such as'],
    [{ at: '2027-13-45T08:00:00Z' }, 'at', 'expected Unix milliseconds'],
    ...['2027-02-29', '2027-02-30', '2027-04-31', '2100-02-29', '2027-00-01', '2027-01-00', '1969-12-31'].map((day): [unknown, string, string] => [{ at: `${day}T08:00:00Z` }, 'at', 'expected Unix milliseconds']),
    [{ machines: null }, 'machines', 'found null'],
    [{ clusters: { '': {} } }, 'clusters[""]', 'found "", expected the name of a cluster'],
    [{ format: 'bigfleet.engine.snapshot/v9', fleet: [] }, 'format', 'found "bigfleet.engine.snapshot/v9", expected "bigfleet.engine.snapshot/v1"'],
    [{ memory: { arrivals: [{ cluster: 'c', at: null }] } }, 'memory.arrivals[0].at', 'found null'],
    [{ memory: { idleSince: { 'm{1..2}': 1, m2: 2 } } }, 'memory', 'idleSince of "m2" is written twice'],
    [{ memory: { reservations: { m: { profile: {} } } } }, 'memory.reservations.m', 'a reservation needs a cluster; write "cluster": "NAME"'],
    [{ defaults: { machine: { zone: 'za', foo: 1 } } }, 'defaults.machine.foo', 'is no field here'],
    [{ defaults: { need: { unit: 1 } } }, 'defaults.need.unit', 'is no field here (did you mean "units"?)'],
    [{ defaults: { profile: { prio: 1 } } }, 'defaults.profile.prio', 'is no field here'],
    [{ defaults: { machine: 1 } }, 'defaults.machine', 'found 1, expected an object'],
    [{ memory: { leftOverSince: { m1: 'x' } } }, 'memory.leftOverSince.m1', 'found "x"'],
  ])('%j', (document, path, message) => {
    expect(() => parseSnapshot(document)).toThrow(expect.objectContaining({ name: 'SnapshotError', path, message: expect.stringContaining(message) as string }));
  });
});
