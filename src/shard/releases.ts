import type { Clock } from '../lib/clock.ts';
import type { Log } from '../runtime/types.ts';
import type { AuditLog } from './audit-log.ts';
import { outcomeIn } from './audit-log.ts';
import type { Inventory } from './inventory.ts';
import type { MachineIntent, MachineRecord } from './record.ts';
import { releaseStep } from './release-requests.ts';
import type { Mode } from './settings.ts';

type ReleaseIntent = Exclude<MachineIntent, { kind: 'bind' }>;

export interface ReleaseDeps {
  readonly inventory: Inventory;
  readonly clock: Pick<Clock, 'now'>;
  readonly log: Log;
  readonly audit: Pick<AuditLog, 'appendRequested'> | undefined;
  readonly mode: () => Mode;
  readonly graceSeconds: () => number;
  /** Nothing is left of the machine to take away. */
  readonly onDone: (machineId: string) => void;
}

/**
 * Machines that a person wants gone: drained, then deleted where the capacity is elastic; then the object goes, and comes back
 * if the machine is still there. What cannot be recorded in the audit log waits.
 */
export class Releases {
  private readonly deps: ReleaseDeps;
  private readonly wanted = new Set<string>();
  /** Decided while nothing was done, and recorded as that. */
  private readonly withheld = new Set<string>();

  constructor(deps: ReleaseDeps) {
    this.deps = deps;
  }

  has(machineId: string): boolean {
    return this.wanted.has(machineId);
  }

  ask(machineId: string): void {
    if (this.wanted.has(machineId)) return;
    this.wanted.add(machineId);
    this.deps.log.info({ machine: machineId }, 'a person asked for the release of the machine');
    this.step(machineId);
  }

  forget(machineId: string): void {
    this.wanted.delete(machineId);
    this.withheld.delete(machineId);
  }

  /** The mode has changed, or the audit log may have room again. */
  stepAll(): void {
    for (const machineId of this.wanted) this.step(machineId);
  }

  /** The machine has changed. */
  step(machineId: string): void {
    const { inventory, clock, mode, graceSeconds } = this.deps;
    const machine = this.wanted.has(machineId) ? inventory.get(machineId) : undefined;
    if (!machine) return; // not listed, or not yet; the wish lasts as long as its object
    if (mode() === 'Active' && this.withheld.delete(machineId)) this.resume(machine);
    const step = releaseStep(inventory.get(machineId) ?? machine, graceSeconds(), clock.now());
    if (step === 'wait') return;
    if (step === 'done') {
      this.forget(machineId);
      this.deps.onDone(machineId);
    } else if (step.kind !== 'bind' && this.record(machine, step)) {
      if (mode() !== 'Active') this.withheld.add(machineId);
      inventory.setIntent(machineId, step);
    }
  }

  /** From now on what was only decided is done: it is recorded as that, or decided anew later. */
  private resume(machine: MachineRecord): void {
    const { intent } = machine;
    if (!intent || intent.kind === 'bind' || !intent.byPerson || this.record(machine, intent)) return;
    this.deps.inventory.setIntent(machine.seen.id, undefined);
  }

  /** Whether it may be decided: not without a line in the audit log, unless nothing is done anyway. */
  private record({ seen }: MachineRecord, intent: ReleaseIntent): boolean {
    const { audit, log, mode } = this.deps;
    try {
      audit?.appendRequested(seen.id, seen.cluster, intent, outcomeIn(mode()));
      return true;
    } catch (error) {
      log.error({ machine: seen.id, error: String(error) }, 'cannot write the audit log: the release that a person asked for waits');
      return mode() !== 'Active';
    }
  }
}
