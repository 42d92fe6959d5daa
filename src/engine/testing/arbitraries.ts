/** Random worlds: small, so that everything meets everything, and mostly short of something. */
import fc from 'fast-check';
import { amounts, assignmentOf, GIB, machine, need, policy, requirement, sameZone, T0, typeIn, zoneSpread } from './builders.ts';
import type { EngineMachine, Intent, MachineState, MemoryChange, Need, NodeHint, Policy, Snapshot } from '../types.ts';

const CLUSTERS = ['c1', 'c2', 'c3'];
const TYPES = ['t1', 't2'];
const ZONES = ['za', 'za', 'za', 'zb', 'zc', '']; // lopsided, so that spreads run into their skew
const STATES: MachineState[] = ['Speculative', 'Creating', 'Idle', 'Configuring', 'Configured', 'Draining', 'Deleting', 'Failed'];

export interface WorldOptions {
  /** Same and strict-spread Needs. Default true. */
  readonly topology?: boolean;
  /** Same Needs, if `topology`. Default true. */
  readonly same?: boolean;
  /** Strict-spread Needs, if `topology`. Default true. */
  readonly spread?: boolean;
  /** Caps, limits and rates. Default true. */
  readonly rails?: boolean;
  /** Only machines that are free, bound or decided for, and only clusters that are there and trusted. Default false. */
  readonly calm?: boolean;
}

export function worlds(options: WorldOptions = {}): fc.Arbitrary<Snapshot> {
  return fc
    .array(needs(options), { maxLength: 6, size: 'max' })
    .chain((demand) =>
      fc.record({
        demand: fc.constant(demand),
        machines: fc.array(machineFor(demand, options), { maxLength: 16, size: 'max' }),
        silent: options.calm ? fc.constant<string[]>([]) : fc.subarray<string>(CLUSTERS, { maxLength: 1 }),
        disconnected: options.calm ? fc.constant<string[]>([]) : fc.subarray<string>(CLUSTERS, { maxLength: 1 }),
        hinted: fc.subarray(CLUSTERS),
        hints: fc.array(hints, { minLength: 16, maxLength: 16 }),
        supplyTrusted: options.calm ? fc.constant(true) : fc.integer({ min: 0, max: 5 }).map((n) => n > 0),
        policy: policies(options),
        ages: fc.array(fc.integer({ min: 0, max: 900 }), { minLength: 16, maxLength: 16 }),
        taken: fc.array(fc.integer({ min: 0, max: 90 }), { maxLength: 3 }),
      }),
    )
    .map((w) => {
      const machines = w.machines.map((m, i): EngineMachine => ({ ...m, id: `m${String(i).padStart(2, '0')}` }));
      return {
        machines,
        needs: new Map(CLUSTERS.filter((c) => !w.silent.includes(c)).map((c) => [c, w.demand.filter((n) => n.cluster === c)])),
        hints: new Map(w.hinted.map((c) => [c, hintsFor(machines, c, w.hints)])),
        sessions: new Set(CLUSTERS.filter((c) => !w.disconnected.includes(c))),
        supplyTrusted: w.supplyTrusted,
        policy: w.policy,
        memory: [...clocks(machines, w.ages), { what: 'reclaims', key: 'c1', at: w.taken.map((s) => T0 - s * 1000).sort() } as const],
      };
    });
}

function needs({ topology = true, same = true, spread = true }: WorldOptions): fc.Arbitrary<Need> {
  return fc
    .record({
      cluster: fc.constantFrom(...CLUSTERS),
      priority: fc.constantFrom(10, 100, 1000),
      interruptionBucket: fc.constantFrom(1, 6, 27),
      group: fc.constantFrom('', 'g'),
      shape: fc.constantFrom('any', 'any', 'typed', 'same', 'spread', 'spread'),
      units: fc.integer({ min: 0, max: 8 }),
      gib: fc.integer({ min: 0, max: 12 }),
      minUnit: fc.constantFrom(amounts({ cpu: 1 }), amounts({ cpu: 2 }), amounts({ cpu: 1, memory: 2 })),
    })
    .map(({ shape, units, gib, ...spec }) =>
      need({
        ...spec,
        aggregate: [['cpu', units * 1000], ['memory', gib * GIB]],
        ...(shape === 'typed' && { requirements: [typeIn('t1')] }),
        ...(topology && same && shape === 'same' && { requirements: [sameZone()] }),
        ...(topology && spread && shape === 'spread' && { spread: [zoneSpread(1)] }),
        ...(!(topology && same) && shape === 'same' && { requirements: [requirement('topology.kubernetes.io/zone', 'NotIn', 'za')] }),
      }),
    );
}

function machineFor(demand: readonly Need[], { calm = false }: WorldOptions): fc.Arbitrary<EngineMachine> {
  const target = demand.length > 0 ? fc.constantFrom(...demand, need({ priority: 1 })) : fc.constant(need());
  const states = calm ? fc.constantFrom<MachineState>('Speculative', 'Idle', 'Idle', 'Configured', 'Configured') : fc.constantFrom(...STATES, 'Idle', 'Configured', 'Speculative');
  return fc
    .record({
      state: states,
      instanceType: fc.constantFrom(...TYPES),
      zone: fc.constantFrom(...ZONES),
      capacityType: fc.constantFrom('BareMetal', 'OnDemand', 'Spot'),
      size: fc.constantFrom(amounts({ cpu: 1, memory: 2 }), amounts({ cpu: 2, memory: 8 }), amounts({ cpu: 4, memory: 4 })),
      priceMicroUsdPerHour: fc.constantFrom(0, 1_000_000, 2_000_000, 5_000_000),
      interruptionProbability: fc.constantFrom(0, 0, 0.1, 0.5),
      target,
      decision: fc.constantFrom('none', 'none', 'bind', 'sent', 'out'),
      hold: calm ? fc.constant(false) : fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
      stuck: calm ? fc.constant(false) : fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
    })
    .map(({ size, target: to, decision, state, ...over }) => {
      const bound = state === 'Configuring' || state === 'Configured' || state === 'Draining';
      const intent = calm && state === 'Configured' ? undefined : intentFor(decision, state, to);
      return machine('', state, {
        ...over,
        allocatable: size,
        labels: { 'kubernetes.io/hostname': `${over.instanceType}-${over.zone}` },
        cluster: bound ? to.cluster : '',
        ...(bound && { assigned: assignmentOf(to) }),
        ...(intent && { intent }),
      });
    });
}

function intentFor(decision: string, state: MachineState, to: Need): Intent | undefined {
  const free = state === 'Idle' || state === 'Creating' || state === 'Speculative';
  if (decision === 'bind') return free || state === 'Failed' ? { kind: 'bind', to: assignmentOf(to), configureSent: false } : undefined;
  if (decision === 'sent') return state === 'Idle' || state === 'Configuring' ? { kind: 'bind', to: assignmentOf(to), configureSent: true } : undefined;
  if (decision === 'out' && state === 'Configured') return { kind: 'unbind' };
  return undefined;
}

const hints: fc.Arbitrary<Omit<NodeHint, 'machineId'>> = fc.record({
  ready: fc.boolean(),
  pods: fc.integer({ min: 0, max: 2 }),
  disruptionCost: fc.integer({ min: 0, max: 3 }),
  doNotDisrupt: fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
});

function hintsFor(machines: readonly EngineMachine[], cluster: string, drawn: readonly Omit<NodeHint, 'machineId'>[]): NodeHint[] {
  return machines.flatMap((m, i) => {
    const hint = drawn[i];
    return hint !== undefined && m.cluster === cluster ? [{ ...hint, machineId: m.id }] : [];
  });
}

function policies({ rails = true }: WorldOptions): fc.Arbitrary<Policy> {
  if (!rails) return fc.constant(policy());
  return fc
    .record({
      reclaimCapFraction: fc.constantFrom(0, 0.05, 0.5),
      maxConcurrentDrainsPerCluster: fc.constantFrom(0, 0, 1, 3),
      maxReclaimsPerMinute: fc.constantFrom(0, 0, 2),
      machines: fc.constantFrom(undefined, undefined, 4, 10),
      money: fc.constantFrom(undefined, undefined, 6_000_000),
    })
    .map(({ machines, money, ...over }) =>
      policy({ ...over, limits: { ...(machines !== undefined && { machines }), ...(money !== undefined && { microUsdPerHour: money }) } }),
    );
}

/** Clocks of about half of the machines have been running for a while, whether or not they should have been. */
function clocks(machines: readonly EngineMachine[], ages: readonly number[]): MemoryChange[] {
  return machines.flatMap((m, i): MemoryChange[] => {
    const at = T0 - (ages[i] ?? 0) * 1000;
    return i % 2 === 0 ? [{ what: 'idleSince', key: m.id, at }, { what: 'leftOverSince', key: m.id, at }] : [];
  });
}

/** Freezes everything reachable, so that a plan that writes into its input fails loudly. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    const inner = value instanceof Map ? [...value.values()] : value instanceof Set ? [...value] : Object.values(value);
    for (const part of inner) deepFreeze(part);
  }
  return value;
}
