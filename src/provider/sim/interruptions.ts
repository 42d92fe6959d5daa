import type { Clock } from '../../lib/clock.ts';
import { stableHash, type Random } from '../../lib/random.ts';
import type { CapacityType, Machine } from '../kit/machine.ts';
import type { RunningProvider } from '../kit/serve-provider.ts';
import { NotHere } from './json-server.ts';

export type InterruptRequest =
  | { readonly machineId: string }
  | { readonly capacityType: CapacityType; readonly count: number };

const TICK_MS = 1_000;
const MS_PER_HOUR = 3_600_000;

/** Takes bound machines away without notice, as a spot market does. */
export class Interruptions {
  private readonly provider: Pick<RunningProvider, 'machines' | 'machine' | 'reportFailure'>;
  private readonly seed: number;
  private cancelTimer = (): void => {};

  constructor(provider: Pick<RunningProvider, 'machines' | 'machine' | 'reportFailure'>, seed: number) {
    this.provider = provider;
    this.seed = seed;
  }

  /** The ids interrupted; the same fleet and seed give the same victims. A machine that is not bound gives none. Throws NotHere. */
  interrupt(request: InterruptRequest): string[] {
    const victims = 'machineId' in request ? this.one(request.machineId) : this.some(request.capacityType, request.count);
    return victims.filter((machine) => this.take(machine)).map((machine) => machine.id);
  }

  /** From now on every bound Spot machine is interrupted at random, `perHour` times an hour on average. */
  startRandom(perHour: number, clock: Clock, random: Random): void {
    const share = (perHour * TICK_MS) / MS_PER_HOUR;
    const tick = (): void => {
      for (const machine of this.bound('Spot')) if (random() < share) this.take(machine);
      this.cancelTimer = clock.after(TICK_MS, tick);
    };
    this.cancelTimer = clock.after(TICK_MS, tick);
  }

  stop(): void {
    this.cancelTimer();
  }

  private one(machineId: string): Machine[] {
    const machine = this.provider.machine(machineId);
    if (!machine) throw new NotHere(`machineId: there is no machine ${JSON.stringify(machineId)} here`);
    return isBound(machine) ? [machine] : [];
  }

  private some(capacityType: CapacityType, count: number): Machine[] {
    const rank = (machine: Machine): number => stableHash(`${this.seed} interrupt ${machine.id}`);
    return this.bound(capacityType)
      .sort((a, b) => rank(a) - rank(b) || (a.id < b.id ? -1 : 1))
      .slice(0, count);
  }

  private bound(capacityType: CapacityType): Machine[] {
    return [...this.provider.machines()].filter((machine) => machine.capacityType === capacityType && isBound(machine));
  }

  private take(machine: Machine): boolean {
    // The recovery that begins at once kills the host. Nobody else may: a kill that comes late would hit a successor.
    return this.provider.reportFailure(machine.id, `interrupted by the ${machine.capacityType} market (simulated)`);
  }
}

function isBound(machine: Machine): boolean {
  return machine.state === 'Configured' || machine.state === 'Configuring' || machine.state === 'Draining';
}
