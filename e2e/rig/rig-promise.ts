import { join } from 'node:path';
import type { SeedInstance } from '../../src/world/seed-instance.ts';
import { expect, judge } from '../promise.ts';
import type { PromiseResult } from '../promise.ts';
import { Ground } from './ground.ts';
import { startRig } from './rig.ts';
import { refusalsIn } from './roles.ts';
import type { Rig } from './rig.ts';
import type { ControlPlaneKind } from './sites.ts';

/** A promise that needs a running fleet, and is content with one that others use, too. */
export interface RigPromise {
  /** Also the name of its machines and of its namespace. */
  readonly id: string;
  readonly promise: string;
  /** Those that need only Pods hold on the embedded control plane as well. */
  readonly on: readonly ControlPlaneKind[];
  readonly machines: readonly SeedInstance[];
  /** It stops what the others stand on, so it runs when they have ended. */
  readonly alone?: boolean;
  /** It restarts API servers, which refuse everybody until they have read the roles. */
  readonly restartsServers?: boolean;
  /** Nothing works on its rig afterwards, so what its workloads got is not waited for. It comes last. */
  readonly ends?: boolean;
  /** Returns what was seen. Workloads may be left running: they are ended, and what they got has to be given back. */
  run(ground: Ground, asked: Asked): Promise<string | Seen>;
}

/** What was asked for on the command line. */
export interface Asked {
  /** How long to soak. */
  readonly soakMs: number;
  /** Of what happens at random. */
  readonly seed: number;
}

export interface Seen {
  readonly detail: string;
  readonly figures: Readonly<Record<string, unknown>>;
}

export interface OnRig {
  readonly kind: ControlPlaneKind;
  /** In kind clusters. */
  readonly inKind: boolean;
  readonly dir: string;
  /** How many that are content with each other run at a time. */
  readonly atOnce: number;
  readonly asked: Asked;
  readonly log: (line: string) => void;
  readonly onResult: (result: PromiseResult) => void;
}

/** What the processes of BigFleet asked for and were refused, by their own word. */
function refusalsOf({ replicas, agents }: Rig): string[] {
  return [...replicas.map(({ part }) => part), ...agents.values()].flatMap(({ logPath }) => refusalsIn(logPath));
}

/** Checks all of these on one rig, those that disturb others last and each for itself; a rig that one of them broke is replaced. Resolves to whether logs are worth keeping. */
export async function checkOnRig(promises: readonly RigPromise[], { kind, inKind, dir, atOnce, asked, log, onResult }: OnRig): Promise<boolean> {
  let rig: Rig | undefined;
  let rigs = 0;
  let failures = 0;
  const start = async (): Promise<Rig> => startRig({
    kind, inKind, dir: join(dir, `${kind}-${++rigs}`), machines: promises.flatMap(({ machines }) => machines), namespaces: promises.map(({ id }) => id), log,
  });
  const check = async (promised: RigPromise): Promise<boolean> => {
    const { id, promise, machines } = promised;
    log(`${id} (${kind}): ${promise}`);
    const judged = await judge({ id, promise, controlPlane: kind }, async () => {
      const on = (rig ??= await start());
      const refused = refusalsOf(on).length;
      const ground = new Ground(on, id, machines, (line) => log(`${id}: ${line}`));
      try {
        const seen = await promised.run(ground, asked);
        if (promised.ends !== true) await ground.clear();
        const news = refusalsOf(on).slice(refused);
        expect(news.length === 0 || promised.restartsServers === true, `beyond a role: ${[...new Set(news)].join('; ')}`);
        return typeof seen === 'string' ? { detail: seen } : seen;
      } finally {
        ground.abandon();
      }
    });
    const result = { ...judged, ...(rig && { kubernetes: rig.kubernetes }) };
    if (result.outcome !== 'passed') failures++;
    onResult(result);
    return result.outcome === 'passed' && promised.ends !== true;
  };
  const stop = async (): Promise<void> => {
    await rig?.stop();
    rig = undefined;
  };
  try {
    const together = promises.filter(({ alone }) => alone !== true);
    if (together.length > 0) rig = await start();
    await Promise.all(Array.from({ length: atOnce }, async () => {
      for (let next = together.shift(); next; next = together.shift()) await check(next);
    }));
    for (const promised of promises.filter(({ alone }) => alone === true)) if (!(await check(promised))) await stop();
  } finally {
    await stop();
  }
  return failures > 0;
}
