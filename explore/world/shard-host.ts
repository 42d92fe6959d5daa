import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { seededRandom } from '../../src/lib/random.ts';
import { createProviderClient } from '../../src/provider/client.ts';
import { createKubeClient, LeadershipLostError, silentLog } from '../../src/runtime/index.ts';
import type { SessionHub } from '../../src/session/server/session-hub.ts';
import type { NeedViews } from '../../src/server/shard-read.ts';
import type { ShardView } from '../../src/server/shard-view.ts';
import { runShard } from '../../src/shard/compose.ts';
import { realDisk } from '../../src/shard/disk.ts';
import type { ShardDisk } from '../../src/shard/disk.ts';
import { SucceededError } from '../../src/shard/succession.ts';
import type { Faults } from '../faults/faults.ts';
import { apiLink } from './api-link.ts';
import type { ApiCondition } from './api-link.ts';
import { NAMESPACE, SHARD } from './api-server.ts';
import type { SimulatedApiServer } from './api-server.ts';
import type { Ground } from './ground.ts';
import { Process } from './process.ts';
import type { ProviderHost } from './provider-host.ts';
import { providerLink } from './provider-link.ts';
import type { Timeline } from './timeline.ts';

/** A process of the shard that leads and answers. */
export interface Serving {
  readonly process: Process;
  readonly hub: SessionHub;
  readonly view: ShardView;
  readonly needViews: () => NeedViews;
}

export interface ShardWorldParts {
  readonly timeline: Timeline;
  readonly faults: Faults;
  readonly ground: Ground;
  readonly server: SimulatedApiServer;
  readonly api: ApiCondition;
  readonly providers: readonly ProviderHost[];
  /** Who serves; the newest last. */
  readonly serving: Serving[];
  readonly seed: number;
}

/** One place where processes of the shard run, one after the other, with a disk of its own: the whole of `runShard`. */
export class ShardHost {
  readonly name: string;
  private readonly parts: ShardWorldParts;
  private readonly dataDir: string;
  private starts = 0;
  private process: Process | undefined;
  private stopping: AbortController | undefined;

  constructor(name: string, dir: string, parts: ShardWorldParts) {
    this.name = name;
    this.parts = parts;
    this.dataDir = join(dir, name);
    mkdirSync(this.dataDir);
  }

  get current(): Process | undefined {
    return this.process?.isAlive ? this.process : undefined;
  }

  start(): void {
    const { timeline, faults, ground, serving } = this.parts;
    const number = ++this.starts;
    const process = new Process(`${this.name}#${number}`, timeline);
    this.process = process;
    const stopping = new AbortController();
    this.stopping = stopping;
    process.onEnd(() => {
      ground.note(`${process.name} is dead`);
      const i = serving.findIndex((one) => one.process === process);
      if (i >= 0) serving.splice(i, 1);
      timeline.after(faults.between(200, 8_000), () => this.start());
    });
    ground.note(`${process.name} starts`);
    let ids = 0;
    const said = (level: string) => (_fields: object, message: string): void => {
      if (!process.isAlive) return;
      if (message === 'leading') ground.leads(process.name);
      ground.note(`${process.name} ${level}: ${message}`);
    };
    runShard({
      id: SHARD, listen: ':1', metricsAddress: '0', namespace: NAMESPACE, dataDir: this.dataDir, auditLog: join(this.dataDir, 'audit.jsonl'),
      lease: {}, minCycleMs: 100, statusMs: 4_000, graces: { reclaimSeconds: 2, preemptionSeconds: [2, 2, 2, 2] }, qps: 200, burst: 400,
      clock: process.clock, random: seededRandom(this.parts.seed * 1_000 + number), log: { ...silentLog, error: said('error'), info: said('info') },
      surroundings: {
        identity: process.name, ids: () => `${process.name}-${++ids}`, handlesSignals: false, check: () => Promise.resolve(),
        disk: this.disk(process),
        kube: (options) => createKubeClient({ ...options, config: { server: 'http://hub' }, transport: apiLink({ ...this.parts, process }) }),
        provider: (options) => createProviderClient({ ...options, dial: providerLink({ ...this.parts, process }) }),
        server: ({ hub, view, needViews }) => ({
          name: 'sessions',
          run: async (signal) => {
            if (process.isAlive) serving.push({ process, hub, view, needViews });
            await new Promise<void>((resolve) => (signal.aborted ? resolve() : signal.addEventListener('abort', () => resolve(), { once: true })));
            const i = serving.findIndex((one) => one.process === process);
            if (i >= 0) serving.splice(i, 1);
            hub.closeAll('the shard is stopping');
          },
        }),
      },
    }, stopping.signal).then(
      () => process.kill(),
      (error: unknown) => {
        if (!process.isAlive) return;
        ground.note(`${process.name} ends: ${String(error)}`);
        if (!(error instanceof LeadershipLostError) && !(error instanceof SucceededError)) ground.violate(`${process.name} ended by itself: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
        process.kill();
      },
    );
  }

  kill(): string | undefined {
    const process = this.current;
    process?.kill();
    return process?.name;
  }

  /** The whole machine, with all its clocks; `unsetMs`: so long after it goes on its wall clock is still as far behind. */
  suspend(ms: number, unsetMs: number): string | undefined {
    const process = this.current;
    if (!process || process.isPaused) return undefined;
    process.suspend();
    this.parts.timeline.after(ms, () => {
      this.parts.ground.note(`${process.name} goes on`);
      process.resume();
      if (unsetMs === 0) process.setClock();
      else this.parts.timeline.after(unsetMs, () => process.setClock());
    });
    return `${process.name} for ${(ms / 1000).toFixed(1)} s, its clock for ${(unsetMs / 1000).toFixed(1)} s more`;
  }

  /** As SIGTERM. */
  stop(): void {
    this.stopping?.abort(new Error('stopped'));
  }

  pause(ms: number): string | undefined {
    const process = this.current;
    if (!process || process.isPaused) return undefined;
    process.pause();
    this.parts.timeline.after(ms, () => {
      this.parts.ground.note(`${process.name} goes on`);
      process.resume();
    });
    return `${process.name} for ${(ms / 1000).toFixed(1)} s`;
  }

  /** The disk is gone, with whoever ran on it. */
  loseDisk(): void {
    this.process?.kill();
    rmSync(this.dataDir, { recursive: true, force: true });
    mkdirSync(this.dataDir);
  }

  /** Real files, so that reading them is real as well. Whoever is dead writes nothing. */
  private disk(process: Process): ShardDisk {
    const { faults, ground } = this.parts;
    const write = (what: string, effect: () => void): void => {
      if (!process.isAlive) return;
      if (faults.strikes('shard crash before persist', `${process.name} ${what}`)) return process.kill();
      effect();
      if (faults.strikes('shard crash after persist', `${process.name} ${what}`)) process.kill();
    };
    return {
      write: (fd, text) => write('epoch: write', () => realDisk.write(fd, text)),
      fsync: () => write('epoch: fsync', () => undefined),
      close: (fd) => realDisk.close(fd),
      rename: (from, to) => write('epoch: rename', () => realDisk.rename(from, to)),
      append: (_file, text) => {
        if (text === '') return;
        if (process.isAlive && faults.strikes('audit disk full', process.name)) throw new Error('no space left on device');
        write('audit', () => ground.audited(text));
      },
      replace: (file, text) => write('settings', () => realDisk.replace(file, text)),
    };
  }
}
