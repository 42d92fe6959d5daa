import { Allowances } from '../allowances.ts';
import { leftOver } from '../packing.ts';
import { ASKED_AT_MOST } from '../room-forecast.ts';

const CORE = 1_000_000_000n;
const TICK_MS = 500;

interface Machine {
  readonly id: number;
  readyAt: number;
  free: number;
}

interface Pod {
  readonly id: number;
  readonly cores: number;
  readonly unplaceable: boolean;
  machine: Machine | undefined;
  /** A roll-up has held it. */
  told: boolean;
  asked: number;
}

/**
 * The smallest world in which gross accounting goes wrong: one row, one machine type, a first-fit scheduler, and a shard
 * that counts nothing but sums and takes back empty machines that the sum does not need.
 */
export class LoopWorld {
  private readonly allowances = new Allowances();
  private readonly options: { createMs: number; rollupMs: number; machineCores: number; foresees?: boolean };
  private pods: Pod[] = [];
  private fleet: Machine[] = [];
  private now = 0;
  private ids = 0;
  private rollups = 0n;
  private judgedUpTo = 0n;
  private sigmaCores = 0;
  bought = 0;

  constructor(options: { createMs: number; rollupMs: number; machineCores: number; foresees?: boolean }) {
    this.options = options;
  }

  get waiting(): number {
    return this.pods.filter((pod) => !pod.machine).length;
  }

  get machines(): number {
    return this.fleet.length;
  }

  get sigma(): number {
    return this.sigmaCores;
  }

  get misfits(): number {
    return [...this.allowances.misfitKeys()].length;
  }

  add(cores: number, { unplaceable = false } = {}): void {
    this.pods.push({ id: ++this.ids, cores, unplaceable, machine: undefined, told: false, asked: 0 });
  }

  /** The oldest Pods end. */
  remove(count: number): void {
    for (const pod of this.pods.splice(0, count)) if (pod.machine) pod.machine.free += pod.cores;
  }

  run(ms: number): void {
    for (const end = this.now + ms; this.now < end; this.now += TICK_MS) {
      this.schedule();
      if (this.now % this.options.rollupMs === 0) this.rollup();
    }
  }

  private schedule(): void {
    for (const pod of this.pods) {
      if (pod.machine || pod.unplaceable) continue;
      const machine = this.fleet.find((m) => m.readyAt <= this.now && m.free >= pod.cores);
      if (!machine) continue;
      machine.free -= pod.cores;
      pod.machine = machine;
    }
  }

  private rollup(): void {
    const { machineCores, foresees = false } = this.options;
    const left = foresees ? this.lacking() : [];
    for (const pod of this.pods) pod.told = true;
    const timestamp = ++this.rollups;
    const requests = this.pods.reduce((sum, pod) => sum + pod.cores, 0);
    const view = {
      key: 'row',
      requests: () => [['cpu', BigInt(requests) * CORE] as const],
      unplaced: this.pods.filter((pod) => !pod.machine).map((pod) => ({ requestKey: `p-${pod.id}`, amounts: [['cpu', BigInt(pod.cores) * CORE] as const], message: 'no' })),
      // The shard has always bought what the last roll-up asked for, so its verdict is as old as that.
      satisfied: (since: bigint) => (this.judgedUpTo >= since ? true : undefined),
      onItsWay: () => this.fleet.some((m) => m.readyAt > this.now),
      matches: () => true,
      granted: (since: bigint) => this.judgedUpTo >= since,
      isAwaited: () => false, // this scheduler says at once what it cannot place
      ...(left.length > 0 && { rest: { amounts: [['cpu', BigInt(left.reduce((sum, pod) => sum + pod.cores, 0)) * CORE] as const], taken: () => left.forEach((pod) => pod.asked++) } }),
    };
    const empty = this.fleet
      .filter((m) => m.readyAt <= this.now && m.free === machineCores)
      .map((m) => ({ machineId: `m-${m.id}`, allocatable: [['cpu', BigInt(machineCores) * CORE] as const] }));
    const sigma = this.allowances.step(this.pods.length > 0 ? [view] : [], empty, timestamp).get('row');
    this.sigmaCores = Number(sigma?.[0]?.[1] ?? 0n) / 1e9;
    this.supply(requests + this.sigmaCores);
    this.judgedUpTo = timestamp;
  }

  /** As the forecast of the planner: by arithmetic, on all machines, those on their way included. */
  private lacking(): Pod[] {
    const waiting = this.pods.filter((pod) => pod.told && !pod.machine);
    const everywhere = (): boolean => true;
    const cores = (count: number): readonly (readonly [string, bigint])[] => [['cpu', BigInt(count) * CORE]];
    const over = leftOver(this.fleet.map(({ free }) => ({ kind: '', free: cores(free) })), waiting.map((pod) => ({ key: `p-${pod.id}`, amounts: cores(pod.cores), mayUse: everywhere })));
    return waiting.filter((pod) => pod.asked < ASKED_AT_MOST && over?.has(`p-${pod.id}`));
  }

  private supply(cores: number): void {
    const { machineCores, createMs } = this.options;
    const wanted = Math.ceil(cores / machineCores - 1e-9);
    while (this.fleet.length < wanted) {
      this.fleet.push({ id: ++this.ids, readyAt: this.now + createMs, free: machineCores });
      this.bought++;
    }
    for (const machine of this.fleet.filter((m) => m.readyAt <= this.now && m.free === machineCores)) {
      if (this.fleet.length <= wanted) break;
      this.fleet.splice(this.fleet.indexOf(machine), 1);
    }
  }
}
