import type { Clock } from '../../lib/clock.ts';
import { differenceBetween, kept } from '../../engine/compare-plans.ts';
import { explainMachine } from '../../engine/explain.ts';
import type { Action, ActionKind, Engine, Plan } from '../../engine/types.ts';
import { TextMap } from '../../lib/text-map.ts';
import { finishInTurns, PER_TURN, inTurns, nextTurn } from '../../lib/turns.ts';
import { after } from '../../runtime/types.ts';
import type { Log, ReconcileContext, Reconciler, Result } from '../../runtime/types.ts';
import type { AuditLog, AuditOutcome } from '../../shard/audit-log.ts';
import type { Demand, DemandChange } from '../../shard/demand.ts';
import type { Inventory } from '../../shard/inventory.ts';
import type { MachineIntent } from '../../shard/record.ts';
import type { Mode } from '../../shard/settings.ts';
import { WaitingGangs } from './waiting-gangs.ts';

/** The only key of the cycle's queue. */
export const CYCLE_KEY = 'cycle';

/** Every so many plans are checked against one made in full, of facts that were audited just before. */
export const CYCLES_PER_FULL_PLAN = 60;

/** Everybody who follows a machine hears of a decision about it at once, so it takes longer than a look at one. */
export const DECISIONS_PER_TURN = 250;

/** While nothing may be taken away it is looked again so soon. */
export const WITHHELD_MS = 1_000;

/** What a plan does for demand that looks unmet. */
const ACQUIRING: ReadonlySet<ActionKind> = new Set(['Bootstrap', 'Provision', 'Preempt']);

/** What takes machines away: never without a record of it. */
const TAKING: ReadonlySet<ActionKind> = new Set(['Preempt', 'Reclaim', 'Delete']);

const UNRECORDED = 'the audit log cannot be written';
const OF_WAITING_GANG = `a machine that would be taken for the same gang waits: ${UNRECORDED}`;

/** Filing a machine takes longer than looking at one. */
const TOLD_PER_TURN = 1_000;
/** For so many turns the demand of one cluster is told per turn. */
const PATIENT_TURNS = 1_000;

export interface CycleDeps {
  readonly engine: Engine;
  readonly inventory: Inventory;
  readonly demand: Demand;
  readonly clock: Clock;
  readonly log: Log;
  readonly audit: AuditLog | undefined;
  readonly mode: () => Mode;
  /** Whether supply is known well enough, and the shard safe enough in its office, to take machines away. */
  readonly mayTakeAway: () => boolean;
  /** Whether all that serves is known; else demand may look unmet that is not, and neither free machines nor others' are taken for it. Absent = it is. */
  readonly mayAcquire?: () => boolean;
  /** Why what is planned is not done, in words, where it is not. */
  readonly whyWithheld?: () => string;
  readonly cycleMs: () => number;
  /** In the turn of the plan, before another roll-up can be accepted; its actions are being decided. */
  readonly onPlanned: (plan: Plan, facts: CycleFacts) => void;
  /** So many actions of each kind were begun (`decided`), or withheld; never of none. What came too late for its machine is neither. */
  readonly onActions: (kinds: ReadonlyMap<ActionKind, number>, outcome: AuditOutcome) => void;
  /** A plan of what has changed was not the plan of everything, or what the engine keeps is not what follows from what it knows: a defect of the engine. */
  readonly onPlanDiffers: () => void;
}

export interface CycleFacts {
  readonly cycle: number;
  readonly seconds: number;
  /** Actions that were withheld: by the mode, or since machines that serve are not known yet. */
  readonly withheld: number;
}

interface HowToAct {
  readonly isWithheld: (action: Action) => boolean;
  readonly mode: Mode;
  /** Of this plan, as far as it was carried out. */
  readonly waitingGangs: WaitingGangs;
}

/**
 * One planning cycle: feed the engine what changed, let it decide, turn each action into what is wanted of one machine.
 * Never waits for I/O; the machine reconciler carries the decisions out. Where there is much to do it is done in turns of
 * the event loop; the plan itself is made in one, of everything that is known in that turn.
 */
export class CycleReconciler implements Reconciler {
  readonly name = 'shard';
  private readonly deps: CycleDeps;
  private cycle = 0;
  private isAuditDue = false;
  private readonly untold: DemandChange[] = [];
  /** Machines about which the last plan decided what is not done, and why it is not. */
  private withheld = new TextMap<string>();

  constructor(deps: CycleDeps) {
    this.deps = deps;
  }

  async reconcile(_key: string, { signal }: ReconcileContext): Promise<Result> {
    const { engine, clock } = this.deps;
    const started = clock.monotonic();
    this.isAuditDue ||= (this.cycle + 1) % CYCLES_PER_FULL_PLAN === 0;
    if (this.isAuditDue) {
      await this.auditFacts();
      signal.throwIfAborted();
    }
    for (let turn = 1; !this.feed(turn < PATIENT_TURNS); turn++) {
      await nextTurn();
      signal.throwIfAborted();
    }
    const mayTakeAway = this.deps.mayTakeAway();
    engine.apply({ kind: 'supply', trusted: mayTakeAway });
    const now = clock.now();
    this.cycle++;
    this.deps.audit?.retry();
    const plan = this.plan(now);
    const mode = this.deps.mode();
    const mayAcquire = this.deps.mayAcquire?.() ?? true;
    const whyWithheld = this.deps.whyWithheld?.() ?? 'nothing is done at present';
    const isWithheld = ({ kind }: Action): boolean => mode !== 'Active' || (!mayAcquire && ACQUIRING.has(kind));
    this.deps.onPlanned(plan, {
      cycle: this.cycle,
      seconds: (clock.monotonic() - started) / 1000,
      withheld: mode === 'Active' && mayAcquire ? 0 : plan.actions.filter(isWithheld).length,
    });
    // Until all of it is committed and decided no other plan is made; what happens meanwhile, the next one hears.
    const reclaims = mode === 'Active' && (this.deps.audit?.failure ?? '') === '';
    for (const { part, isFirst } of slices(reclaims ? plan.memory : plan.memory.filter(({ what }) => what !== 'reclaims'), PER_TURN)) {
      if (!isFirst) await nextTurn();
      engine.apply({ kind: 'memory', changes: part });
    }
    const undone = new TextMap<string>();
    const waitingGangs = new WaitingGangs();
    for (const { part, isFirst } of slices(preemptionsFirst(plan), DECISIONS_PER_TURN)) {
      if (!isFirst) await nextTurn();
      for (const { machineId, kind } of this.carryOut(part, { isWithheld, mode, waitingGangs }, clock.now())) undone.set(machineId, TAKING.has(kind) ? UNRECORDED : OF_WAITING_GANG);
      for (const action of part) if (isWithheld(action)) undone.set(action.machineId, whyWithheld);
    }
    await this.tellWithheld(undone);
    const { machineReasons } = plan;
    await inTurns(machineReasons.changed, (id) => this.deps.inventory.explain(id, machineReasons.get(id)));
    const untilWake = plan.wakeAt === undefined ? Infinity : Math.max(1, plan.wakeAt - now);
    // Nobody says when the Lease is proven again.
    return after(Math.min(this.deps.cycleMs(), untilWake, mayTakeAway ? Infinity : WITHHELD_MS));
  }

  /**
   * Both plans read the figures that the engine keeps: these are worked out anew before. It is done between two plans, since
   * nobody tells the engine of machines or demand then; should somebody do it, the next cycle tries again.
   */
  private async auditFacts(): Promise<void> {
    const { engine, log } = this.deps;
    const differences = await this.differencesOfFacts();
    if (differences === undefined) return;
    this.isAuditDue = false;
    if (differences.length === 0) return;
    log.error({ cycle: this.cycle + 1, differences }, 'what the engine keeps does not follow from what it knows: it is worked out anew');
    this.deps.onPlanDiffers();
    await finishInTurns(engine.rebuild());
  }

  /** Figures may be so wrong that they cannot even be looked at. */
  private async differencesOfFacts(): Promise<readonly string[] | undefined> {
    try {
      return await finishInTurns(this.deps.engine.audit());
    } catch (error) {
      return [`the audit broke off: ${String(error)}`];
    }
  }

  /** Now and then all of it is planned anew. That must change nothing; the full plan is the one that counts. */
  private plan(now: number): Plan {
    const { engine, inventory, log } = this.deps;
    const made = engine.plan(now);
    if (this.cycle % CYCLES_PER_FULL_PLAN !== 0) return made;
    const plan = kept(made, (id) => inventory.get(id)?.why);
    const full = engine.planInFull(now);
    const difference = differenceBetween(plan, full);
    if (difference !== undefined) {
      log.error({ cycle: this.cycle, difference }, 'the plan of what has changed is not the plan of everything: the latter counts');
      this.deps.onPlanDiffers();
    }
    // What is news in the first plan is none in the second one, which comes after it.
    const { machineReasons } = full;
    const changed = [...plan.machineReasons.changed, ...machineReasons.changed];
    return { ...full, machineReasons: { get: (id) => machineReasons.get(id), changed, [Symbol.iterator]: () => machineReasons[Symbol.iterator]() } };
  }

  /**
   * Tells the engine what is new, as much as one turn can take. True = nothing is left to be told or filed, so that the plan
   * can be made at once. Demand that keeps coming is not waited for without end.
   */
  private feed(isPatient: boolean): boolean {
    const { engine, inventory, demand } = this.deps;
    this.untold.push(...demand.takeChanges());
    for (const change of this.untold.splice(0, isPatient ? 1 : Infinity)) this.feedDemand(change);
    const machines = inventory.takeEngineChanges(TOLD_PER_TURN);
    if (machines) engine.apply({ kind: 'machines', ...machines });
    if (this.untold.length > 0 || inventory.engineBacklog > 0) return false;
    return !engine.settle(PER_TURN);
  }

  private feedDemand({ cluster, needs, hints }: DemandChange): void {
    const { engine, log } = this.deps;
    try {
      if (needs) engine.apply({ kind: 'needs', cluster, needs });
      engine.apply({ kind: 'hints', cluster, hints });
    } catch (error) {
      // Ingest should have refused it. The demand of one cluster must not keep the others from being served.
      log.error({ cluster, error: String(error) }, 'the engine refuses the demand of a cluster: its last one stays');
    }
  }

  /** Who looks at a machine must not read that something was done to it which was only planned. */
  private async tellWithheld(now: TextMap<string>): Promise<void> {
    const { inventory } = this.deps;
    if (now.size === 0 && this.withheld.size === 0) return;
    await inTurns(now.entries(), ([machineId, why]) => inventory.withhold(machineId, why));
    await inTurns(this.withheld.entries(), ([machineId]) => {
      if (!now.has(machineId)) inventory.withhold(machineId, undefined);
    });
    this.withheld = now;
  }

  /** Hands back what is not done since it, or what the same gang is to get besides, could not be recorded. */
  private carryOut(actions: readonly Action[], { isWithheld, mode, waitingGangs }: HowToAct, now: number): readonly Action[] {
    const withheld = actions.filter(isWithheld);
    const outcome = mode === 'DryRun' ? 'dryrun' : 'suppressed';
    const wanted = actions.filter((action) => !isWithheld(action) && !waitingGangs.has(action));
    const isRecorded = this.record(wanted, 'decided');
    if (!isRecorded) for (const action of wanted) waitingGangs.notDone(action);
    const isWaiting = (action: Action): boolean => waitingGangs.has(action) || (!isRecorded && TAKING.has(action.kind));
    const waiting = actions.filter((action) => !isWithheld(action) && isWaiting(action));
    this.record(withheld, outcome);
    this.count(wanted.filter((action) => !isWaiting(action) && this.decide(action, now)), 'decided');
    this.count([...withheld, ...waiting], outcome);
    return waiting;
  }

  private count(actions: readonly Action[], outcome: AuditOutcome): void {
    if (actions.length === 0) return;
    const kinds = new Map<ActionKind, number>();
    for (const { kind } of actions) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    this.deps.onActions(kinds, outcome);
  }

  /** A full disk must not stop what the fleet gets: of that the decisions count, and the record of them is lost with an error. */
  private record(actions: readonly Action[], outcome: AuditOutcome): boolean {
    if (actions.length === 0) return true;
    try {
      this.deps.audit?.append(this.cycle, actions, outcome);
      return true;
    } catch (error) {
      this.deps.log.error({ cycle: this.cycle, actions: actions.length, error: String(error) }, 'cannot write the audit log: what takes machines away waits');
      return false;
    }
  }

  /** False: it comes too late. */
  private decide(action: Action, now: number): boolean {
    const { inventory } = this.deps;
    // Removed or changed since the plan was fed: it was decided of another machine than this one is now. The next plan knows.
    if (!inventory.get(action.machineId) || inventory.isNewsForTheEngine(action.machineId)) return false;
    inventory.setIntent(action.machineId, intentOf(action, now));
    inventory.explain(action.machineId, action.reason);
    return true;
  }
}

/** Before anything is got for a gang it is known whether what it takes from others could be recorded. */
function preemptionsFirst({ actions }: Plan): readonly Action[] {
  if (actions.length <= DECISIONS_PER_TURN) return actions; // recorded in one write
  const isPreemption = ({ kind }: Action): boolean => kind === 'Preempt';
  return actions.some(isPreemption) ? [...actions.filter(isPreemption), ...actions.filter((action) => !isPreemption(action))] : actions;
}

/** In parts that one turn can take. */
function* slices<T>(items: readonly T[], perTurn: number): Iterable<{ readonly part: readonly T[]; readonly isFirst: boolean }> {
  for (let from = 0; from < items.length; from += perTurn) yield { part: items.slice(from, from + perTurn), isFirst: from === 0 };
}

/** What an action wants of its machine; Withdraw wants nothing any more. */
export function intentOf(action: Action, now: number): MachineIntent | undefined {
  const reason = explainMachine(action.reason);
  switch (action.kind) {
    case 'Bootstrap':
    case 'Provision':
      if (!action.to) throw new Error(`${action.kind} of machine ${action.machineId} names no cluster`);
      return {
        kind: 'bind',
        to: action.to,
        requirements: action.need?.profile.requirements ?? [],
        reason,
        decidedAt: now,
        configureSent: false,
      };
    case 'Reclaim':
    case 'Preempt':
      return { kind: 'unbind', reason, graceSeconds: action.graceSeconds, preemptorPriority: action.preemptorPriority, decidedAt: now };
    case 'Delete':
      return { kind: 'release', reason, decidedAt: now };
    case 'Withdraw':
      return undefined;
  }
}
