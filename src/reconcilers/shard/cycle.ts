import type { Clock } from '../../lib/clock.ts';
import { explainMachine } from '../../engine/explain.ts';
import type { Action, Engine, Plan } from '../../engine/types.ts';
import { after } from '../../runtime/types.ts';
import type { Log, ReconcileContext, Reconciler, Result } from '../../runtime/types.ts';
import type { AuditLog } from '../../shard/audit-log.ts';
import type { Demand } from '../../shard/demand.ts';
import type { Inventory } from '../../shard/inventory.ts';
import type { MachineIntent } from '../../shard/record.ts';
import type { Mode } from '../../shard/settings.ts';

/** The only key of the cycle's queue. */
export const CYCLE_KEY = 'cycle';

export interface CycleDeps {
  readonly engine: Engine;
  readonly inventory: Inventory;
  readonly demand: Demand;
  readonly clock: Clock;
  readonly log: Log;
  readonly audit: AuditLog | undefined;
  readonly mode: () => Mode;
  readonly cycleMs: () => number;
  /** The plan is final and its actions are decided: reporting may begin. */
  readonly onPlanned: (plan: Plan, facts: CycleFacts) => void;
}

export interface CycleFacts {
  readonly cycle: number;
  readonly seconds: number;
  /** Actions that the mode withheld. */
  readonly withheld: number;
}

/**
 * One planning cycle: feed the engine what changed, let it decide, turn each action into what is wanted of one machine.
 * Never waits for I/O; the machine reconciler carries the decisions out.
 */
export class CycleReconciler implements Reconciler {
  readonly name = 'shard';
  private readonly deps: CycleDeps;
  private cycle = 0;

  constructor(deps: CycleDeps) {
    this.deps = deps;
  }

  reconcile(_key: string, _ctx: ReconcileContext): Promise<Result> {
    const { engine, clock } = this.deps;
    const started = clock.monotonic();
    this.feed();
    const now = clock.now();
    const plan = engine.plan(now);
    this.cycle++;
    engine.apply({ kind: 'memory', changes: plan.memory });
    const mode = this.deps.mode();
    this.record(plan, mode, now);
    if (mode === 'Active') for (const action of plan.actions) this.decide(action, now);
    for (const id of plan.machineReasons.changed) this.deps.inventory.explain(id, plan.machineReasons.get(id));
    this.deps.onPlanned(plan, {
      cycle: this.cycle,
      seconds: (clock.monotonic() - started) / 1000,
      withheld: mode === 'Active' ? 0 : plan.actions.length,
    });
    const untilWake = plan.wakeAt === undefined ? Infinity : Math.max(1, plan.wakeAt - now);
    return Promise.resolve(after(Math.min(this.deps.cycleMs(), untilWake)));
  }

  private feed(): void {
    const { engine, inventory, demand, log } = this.deps;
    const machines = inventory.takeEngineChanges();
    if (machines) engine.apply({ kind: 'machines', ...machines });
    for (const { cluster, needs, hints } of demand.takeChanges()) {
      try {
        if (needs) engine.apply({ kind: 'needs', cluster, needs });
        engine.apply({ kind: 'hints', cluster, hints });
      } catch (error) {
        // Ingest should have refused it. The demand of one cluster must not keep the others from being served.
        log.error({ cluster, error: String(error) }, 'the engine refuses the demand of a cluster: its last one stays');
      }
    }
  }

  /** A full disk must not stop the fleet: the decisions count, the record of them is lost with an error. */
  private record(plan: Plan, mode: Mode, now: number): void {
    try {
      this.deps.audit?.append(now, this.cycle, plan.actions, mode === 'Active' ? 'decided' : mode === 'DryRun' ? 'dryrun' : 'suppressed');
    } catch (error) {
      this.deps.log.error({ cycle: this.cycle, actions: plan.actions.length, error: String(error) }, 'cannot write the audit log');
    }
  }

  private decide(action: Action, now: number): void {
    const { inventory } = this.deps;
    if (!inventory.get(action.machineId)) return; // removed since the plan was fed: the next one knows
    inventory.setIntent(action.machineId, intentOf(action, now));
    inventory.explain(action.machineId, action.reason);
  }
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
