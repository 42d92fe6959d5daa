import type { StateChange, StateStore } from '../../src/provider/kit/state-store.ts';
import { decodeChange, encodeChange } from '../../src/provider/kit/state-codec.ts';
import type { Faults } from '../faults/faults.ts';
import type { Ground, Token } from './ground.ts';
import type { Process } from './process.ts';

const COMPACT_AFTER = 150;

/** The disk of the provider: lines that were synced last; of those that were only written, a crash leaves the first few. */
export class ProviderDisk {
  private readonly faults: Faults;
  private readonly ground: Ground;
  private readonly machines: ReadonlySet<string>;
  private synced: string[] = [];

  constructor(faults: Faults, ground: Ground, machines: ReadonlySet<string>) {
    this.faults = faults;
    this.ground = ground;
    this.machines = machines;
  }

  /** A store for one process, in the real format of lines. */
  open(process: Process, sleep: (ms: number) => Promise<void>): StateStore {
    const { faults } = this;
    let written: string[] = [];
    let appended = 0;
    const dies = (point: 'before' | 'after', what: string): boolean => {
      if (!process.isAlive || !faults.strikes(`provider crash ${point} persist`, what)) return false;
      process.kill();
      return true;
    };
    process.onEnd(() => {
      this.synced.push(...written.slice(0, Math.floor(faults.between(0, written.length + 1))));
      written = [];
      const marks = new Map<string, Token>();
      for (const line of this.synced) {
        const { fence } = decodeChange(line);
        if (fence) marks.set(`${fence.shardId} ${fence.machineId}`, fence);
      }
      this.ground.restored(this.machines, marks);
    });
    return {
      load: () => (this.synced.length === 0 ? undefined : this.synced.map((line) => decodeChange(line))),
      append: (change: StateChange) => {
        if (!process.isAlive) return;
        const what = describe(change);
        if (faults.strikes('provider disk full', what)) throw new Error('no space left on device');
        if (dies('before', what)) return;
        written.push(encodeChange(change).trimEnd());
        appended++;
        dies('after', what);
      },
      flush: async () => {
        const upTo = appended;
        await sleep(faults.strikes('provider disk slow', 'sync') ? faults.between(20, 3_000) : faults.between(0, 2));
        if (!process.isAlive) return new Promise<never>(() => undefined);
        const later = appended - upTo;
        const ripe = Math.max(0, written.length - later);
        this.synced.push(...written.slice(0, ripe));
        written = written.slice(ripe);
      },
      maybeCompact: (snapshot) => {
        if (!process.isAlive || this.synced.length < COMPACT_AFTER) return;
        const lines = [...snapshot()].map((change) => encodeChange(change).trimEnd());
        this.synced = lines;
        written = [];
      },
      close: () => Promise.resolve(),
    };
  }
}

function describe({ fence, machine, nextOperation }: StateChange): string {
  const parts = [fence && `fence of ${fence.machineId}`, machine && `${machine.machine.id} ${machine.machine.state}`, nextOperation !== undefined && `operation ${nextOperation}`];
  return parts.filter(Boolean).join(', ');
}
