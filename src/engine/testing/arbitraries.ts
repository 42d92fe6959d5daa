/** Random worlds: small, so that everything meets everything, and mostly short of something. */
import fc from 'fast-check';
import { unitClass } from '../../api/profile.ts';
import type { Requirement } from '../../api/profile.ts';
import { ANY_GANG } from '../facts/need-row.ts';
import { amounts, assignmentOf, GIB, machine, need, policy, requirement, sameZone, T0, typeIn, zoneSpread } from './builders.ts';
import type { Assignment, EngineMachine, Intent, MachineState, MemoryChange, Need, NodeHint, Policy, ResourceVector, Snapshot } from '../types.ts';

const CLUSTERS = ['c1', 'c2', 'c3'];
const TYPES = ['t1', 't2'];
const ZONES = ['za', 'za', 'za', 'zb', 'zc', '']; // lopsided, so that spreads run into their skew
/** Several, so that now and then a Need asks about one that nobody has asked about before. */
const LABELS = ['rack', 'room'];
const VALUES = ['v1', 'v2', ''];
const STATES: MachineState[] = ['Speculative', 'Speculative', 'Creating', 'Creating', 'Idle', 'Idle', 'Configuring', 'Configured', 'Draining', 'Deleting', 'Failed'];
const CALM_STATES: MachineState[] = ['Speculative', 'Idle', 'Idle', 'Configured'];

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
  /** Where machines are scarce still more of them are bound: little is on its way, and more is preempted. Default false. */
  readonly busy?: boolean;
  /** Machines that were preempted earlier. Default true. */
  readonly reservations?: boolean;
}

export function worlds(options: WorldOptions = {}): fc.Arbitrary<Snapshot> {
  return fc
    .array(needs(options), { maxLength: 5, size: 'max' })
    .map((kinds) => kinds.flat())
    .chain((demand) => fc.tuple(fc.constant(demand), fc.constantFrom(true, true, false), fc.boolean()))
    .chain(([demand, scarce, large]) =>
      fc.record({
        demand: fc.constant(demand),
        machines: fc.array(machineFor(demand, scarce, large, options), { minLength: scarce ? 4 : 0, maxLength: 16, size: 'max' }),
        silent: options.calm ? fc.constant<string[]>([]) : fc.subarray<string>(CLUSTERS, { maxLength: 1 }),
        disconnected: options.calm ? fc.constant<string[]>([]) : fc.subarray<string>(CLUSTERS, { maxLength: 1 }),
        hinted: fc.subarray(CLUSTERS),
        hints: fc.array(hints, { minLength: 16, maxLength: 16 }),
        supplyTrusted: options.calm ? fc.constant(true) : fc.integer({ min: 0, max: 5 }).map((n) => n > 0),
        policy: policies(options),
        ages: fc.array(fc.integer({ min: 0, max: 900 }), { minLength: 16, maxLength: 16 }),
        taken: fc.array(fc.integer({ min: 0, max: 90 }), { maxLength: 3 }),
        reserved: fc.array(demand.length > 0 ? fc.option(fc.constantFrom(...demand), { freq: 2 }) : fc.constant(null), { minLength: 16, maxLength: 16 }),
      }),
    )
    .map((w) => {
      const machines = w.machines.map((m, i): EngineMachine => ({ ...(i % 3 === 2 ? forgetful(m) : m), id: `m${String(i).padStart(2, '0')}` }));
      return {
        machines,
        needs: new Map(CLUSTERS.filter((c) => !w.silent.includes(c)).map((c) => [c, w.demand.filter((n) => n.cluster === c)])),
        hints: new Map(w.hinted.map((c) => [c, hintsFor(machines, c, w.hints)])),
        sessions: new Set(CLUSTERS.filter((c) => !w.disconnected.includes(c))),
        supplyTrusted: w.supplyTrusted,
        policy: w.policy,
        memory: [...clocks(machines, w.ages), ...(options.reservations === false ? [] : reservations(machines, w.reserved)), { what: 'reclaims', key: 'c1', at: w.taken.map((s) => T0 - s * 1000).sort() } as const],
      };
    });
}

/** One demand as its cluster reports it: a row, two rows of different unit classes, two gangs of one size, or a gang and the like of it without Same. */
function needs({ topology = true, same = true, spread = true }: WorldOptions): fc.Arbitrary<Need[]> {
  return fc
    .record({
      cluster: fc.constantFrom(...CLUSTERS),
      priority: fc.constantFrom(10, 100, 1000),
      interruptionBucket: fc.constantFrom(1, 6, 27),
      group: fc.constantFrom('', 'g'),
      shape: fc.constantFrom('any', 'any', 'typed', 'same', 'same', 'spread', 'spread'),
      label: fc.constantFrom(null, null, null, null, null, null, ...LABELS),
      units: fc.integer({ min: 0, max: 10 }),
      gib: fc.integer({ min: 0, max: 12 }),
      minUnit: fc.constantFrom(amounts({ cpu: 1 }), amounts({ cpu: 2 }), amounts({ cpu: 1, memory: 2 })),
      double: fc.constantFrom(false, false, true),
      maxSkew: fc.constantFrom(1, 1, 2),
      twin: fc.constantFrom('gang', 'gang', 'plain'),
      spreadsGangs: fc.constantFrom(false, false, false, true),
    })
    .map(({ shape, units, gib, double, label, maxSkew, twin, spreadsGangs, ...spec }) => {
      const isSame = topology && same && shape === 'same';
      const requirements = (isGang: boolean): Requirement[] => [ // by key, as a profile has them
        ...(shape === 'typed' ? [typeIn('t1')] : []),
        ...(label === null ? [] : [requirement(label, 'Exists')]),
        ...(isGang ? [sameZone()] : []),
        ...(!isSame && shape === 'same' ? [requirement('topology.kubernetes.io/zone', 'NotIn', 'za')] : []),
      ];
      const asked = {
        ...spec,
        aggregate: together(spec.minUnit, [['cpu', units * 1000], ['memory', gib * GIB]]),
        ...(topology && spread && (shape === 'spread' || (isSame && spreadsGangs)) && { spread: [zoneSpread(maxSkew)] }),
      };
      const one = need({ ...asked, requirements: requirements(isSame) });
      if (!double) return [one];
      const unit = amounts({ cpu: 1, memory: 1 });
      // Without Same it asks for what gangs that are planned as one ask for.
      if (isSame && twin === 'plain') return [one, need({ ...asked, requirements: requirements(false) })];
      return isSame ? [one, { ...one, group: 'twin' }] : [one, { ...one, minUnit: unit, unitClass: unitClass(unit), aggregate: together(unit, [['cpu', 1000], ['memory', gib * GIB]]) }];
    });
}

/** After a restart nobody knows for which unit class a machine was bound. */
function forgetful(machine: EngineMachine): EngineMachine {
  const { assigned, intent } = machine;
  return { ...machine, ...(assigned && { assigned: unclassed(assigned) }), ...(intent?.kind === 'bind' && { intent: { ...intent, to: unclassed(intent.to) } }) };
}

function unclassed({ unitClass: _, ...to }: Assignment): Assignment {
  return to;
}

/** Nothing, or at least one unit: less is refused where demand comes in. */
function together(minUnit: ResourceVector, drawn: ResourceVector): ResourceVector {
  if (drawn.every(([, amount]) => amount === 0)) return drawn;
  const unit = new Map(minUnit);
  return drawn.map(([name, amount]) => [name, Math.max(amount, unit.get(name) ?? 0)]);
}

/** `scarce`: most of them are bound, so that who wants more must take it from others. `large`: some hold a whole gang. */
function machineFor(demand: readonly Need[], scarce: boolean, large: boolean, { calm = false, busy = false }: WorldOptions): fc.Arbitrary<EngineMachine> {
  const had = scarce ? demand.filter(({ profile }) => profile.priority < 1000) : demand;
  const target = fc.constantFrom(...had, need({ priority: 1 }), ...(scarce ? [need({ priority: 1, cluster: 'c2' }), need({ priority: 1, cluster: 'c3' })] : []));
  const states = fc.constantFrom<MachineState>(...(calm ? CALM_STATES : STATES), ...Array.from({ length: scarce ? (busy ? 40 : 12) : 1 }, () => 'Configured' as const));
  return fc
    .record({
      state: states,
      instanceType: fc.constantFrom(...TYPES),
      zone: fc.constantFrom(...ZONES),
      value: fc.constantFrom(...VALUES),
      capacityType: fc.constantFrom('BareMetal', 'OnDemand', 'Spot'),
      size: fc.constantFrom(amounts({ cpu: 1, memory: 2 }), amounts({ cpu: 2, memory: 8 }), amounts({ cpu: 4, memory: 4 }), ...(large ? [amounts({ cpu: 8, memory: 12 })] : [])),
      priceMicroUsdPerHour: fc.constantFrom(0, 1_000_000, 2_000_000, 5_000_000),
      interruptionProbability: fc.constantFrom(0, 0, 0.1, 0.5),
      target,
      folded: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
      // What it was bound for may rank below or above what it serves now.
      stamp: fc.constantFrom(undefined, undefined, 1, 500),
      // Whom it was bound for may ask for something else by now, and nobody may know any more who that was.
      purpose: fc.constantFrom('asked', 'asked', 'asked', 'asked', 'asked', 'asked', 'changed', 'unknown'),
      decision: fc.constantFrom('none', 'none', 'none', 'bind', 'bind', 'sent', 'out'),
      hold: calm ? fc.constant(false) : fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
      stuck: calm ? fc.constant(false) : fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
      refused: calm ? fc.constant(false) : fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
    })
    .map(({ size, target, folded, stamp, purpose, decision, state, refused, value, ...over }) => {
      const of = purpose === 'changed' ? { ...target, fingerprint: 'of-before' } : target;
      const to = folded ? foldedAssignment(of) : assignmentOf(of);
      const bound = state === 'Configuring' || state === 'Configured' || state === 'Draining';
      const intent = calm && state === 'Configured' ? undefined : intentFor(decision, state, to);
      return machine('', state, {
        ...over,
        allocatable: size,
        labels: { 'kubernetes.io/hostname': `${over.instanceType}-${over.zone}`, ...(value !== '' && Object.fromEntries(LABELS.map((key) => [key, value]))) },
        cluster: bound ? to.cluster : '',
        ...(bound && purpose !== 'unknown' && { assigned: stamp === undefined ? to : { ...to, priority: stamp } }),
        ...(intent && { intent }),
        ...(refused && (state === 'Configured' ? { drainRefused: true } : state === 'Failed' ? { hasHost: true } : { untrusted: true })),
      });
    });
}

/** For whom machines are bound that serve a gang which fits on one machine. */
function foldedAssignment(of: Need): Assignment {
  return { ...assignmentOf(of), group: ANY_GANG };
}

function intentFor(decision: string, state: MachineState, to: Assignment): Intent | undefined {
  const free = state === 'Idle' || state === 'Creating' || state === 'Speculative';
  if (decision === 'bind') return free || state === 'Failed' ? { kind: 'bind', to, configureSent: false } : undefined;
  if (decision === 'sent') return state === 'Idle' || state === 'Configuring' ? { kind: 'bind', to, configureSent: true } : undefined;
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
      reclaimCapMs: fc.constantFrom(0, 10_000, 90_000),
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

/** Some of what is on its way out, or has just arrived, was preempted for somebody; some of what serves was to be, and that was not carried out. */
function reservations(machines: readonly EngineMachine[], drawn: readonly (Need | null)[]): MemoryChange[] {
  return machines.flatMap((m, i): MemoryChange[] => {
    const preemptor = drawn[i];
    const isFreed = m.state === 'Draining' || m.intent?.kind === 'unbind' || (m.state === 'Idle' && m.intent === undefined && i % 2 === 0);
    const isToBe = m.state === 'Configured' && m.intent === undefined && i % 3 === 0;
    return (isFreed || isToBe) && preemptor && preemptor.cluster !== m.cluster ? [{ what: 'reservation', key: m.id, to: assignmentOf(preemptor) }] : [];
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
