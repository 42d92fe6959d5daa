import { readFileSync } from 'node:fs';
import { seededRandom } from '../../src/lib/random.ts';
import { accusations } from '../kills/witness.ts';
import type { AuditLine, OperationLine } from '../kills/witness.ts';
import { eventually, expect } from '../promise.ts';
import { machinesOf } from '../rig/machines.ts';
import { PATIENCE_S } from '../rig/ground.ts';
import type { Part } from '../rig/part.ts';
import type { RigPromise } from '../rig/rig-promise.ts';
import type { Replica } from '../rig/rig.ts';
import { isReady } from '../rig/shard-service.ts';
import { Churn } from '../soak/churn.ts';
import { Faults } from '../soak/faults.ts';
import { growths, heldBy } from '../soak/flat.ts';
import { added, forgottenFiles, memoriesOf, objectsOf, strays } from '../soak/left-over.ts';
import { planFaults } from '../soak/plan.ts';
import { Samples } from '../soak/samples.ts';
import type { Watched } from '../soak/samples.ts';
import { Strays } from '../soak/strays.ts';

const pool = 'soak';
/** Both clusters at their most want more: what is urgent takes from what is not. */
const MACHINES = 10;
const LOOK_MS = 2_500;
const LOOK_AT_OBJECTS_MS = 10_000;
const REST_MS = 15_000;

export const soak: RigPromise = {
  id: pool,
  promise: `Deployments, Pods and priorities change without pause, and a fault comes every few seconds: memory, descriptors and sockets stay flat, nothing is left over, all Pods run within ${PATIENCE_S} s of the last fault`,
  on: ['processes'],
  alone: true,
  restartsServers: true,
  machines: machinesOf(pool, MACHINES),
  async run(ground, { soakMs, seed }) {
    const { rig, log } = ground;
    log(`${soakMs / 1_000} s, seed ${seed}`);
    const parts = [...rig.replicas.map(({ part }) => part), ...rig.agents.values(), rig.provider];
    const before = await objectsOf(rig);
    const churn = await Churn.start(ground, seededRandom(seed + 1));
    const faults = new Faults(rig, parts);
    const same = (part: Part): Watched => ({ part, role: () => Promise.resolve(part.name) });
    const samples = new Samples([
      ...rig.replicas.map(shardOf),
      ...[...rig.agents.values(), rig.provider].map(same),
    ]);
    const stray = new Strays(() => strays(ground));
    const startedAt = performance.now();
    const passed = (): number => performance.now() - startedAt;
    const looks = [setInterval(() => void samples.take(passed), LOOK_MS), setInterval(() => void stray.look(performance.now()), LOOK_AT_OBJECTS_MS)];
    let recoveredSeconds: number;
    try {
      churn.go();
      const struck: Promise<void>[] = [];
      for (const fault of planFaults(seededRandom(seed), soakMs)) {
        await sleep(fault.atMs - passed());
        struck.push(faults.strike(fault));
        if (struck.length % 50 === 0) log(`${struck.length} faults in ${Math.round(passed() / 1_000)} s`);
      }
      await sleep(soakMs - passed());
      await Promise.all(struck);
      const lastFaultAt = performance.now();
      await churn.rest();
      await churn.settled(PATIENCE_S);
      recoveredSeconds = Math.round((performance.now() - lastFaultAt) / 100) / 10;
      log(`all ${churn.pods()} Pods run ${recoveredSeconds} s after the last fault`);
      await sleep(REST_MS);
      await samples.take(passed);
    } finally {
      for (const timer of looks) clearInterval(timer);
      faults.end();
    }
    await rig.connected(PATIENCE_S);
    await ground.clear();
    let objects: string[] = [];
    await eventually('nothing is left over', PATIENCE_S, async () => {
      objects = [...added(before, await objectsOf(rig)), ...(await memoriesOf(ground))];
      expect(objects.length === 0, objects.join('; '));
    }).catch(() => log(`left over: ${objects.join('; ')}`)); // judged below, with the rest
    const held = heldBy(samples.lives);
    const files = forgottenFiles(rig, parts);
    const told = accusations(linesOf<OperationLine>(rig.operationLog), rig.auditLogs.flatMap((path) => linesOf<AuditLine>(path)));
    const changes = ground.changes();
    const figures = {
      seed, seconds: Math.round(soakMs / 1_000), faults: Object.fromEntries(faults.happened), endedAlone: faults.endedAlone.length,
      churn: { scaled: churn.scaled, deleted: churn.deleted, refused: churn.refused },
      machines: { bought: changes.filter(({ to }) => to === 'Creating').length, taken: changes.filter(({ to }) => to === 'Draining').length },
      recoveredSeconds, longestStraySeconds: stray.longestSeconds, held, left: { objects, files }, accusations: told,
    };
    for (const { name, lives, longestSeconds, rssMb, peakRssMb, rssMbPerMinute, descriptors, sockets } of held) {
      const levels = ({ early, late, most }: typeof descriptors): string => `${early} → ${late} (most ${most})`;
      log(`${name}: ${lives} lives, longest ${longestSeconds} s; ${rssMb} MB, most ${peakRssMb}, ${rssMbPerMinute ?? '?'} MB/min; descriptors ${levels(descriptors)}; sockets ${levels(sockets)}`);
    }
    log(JSON.stringify(figures));
    const wrong = [
      ...told.slice(0, 10).map((words) => `the logs of provider and shard accuse: ${words}`),
      ...[...objects, ...files, ...stray.found].map((what) => `left over: ${what}`),
      ...growths(held),
    ];
    expect(wrong.length === 0, wrong.join('; '));
    const count = [...faults.happened.values()].reduce((sum, times) => sum + times, 0);
    const detail = [
      `${count} faults in ${figures.seconds} s (seed ${seed}), ${churn.scaled} scalings and ${churn.deleted} deletions`,
      `${figures.machines.bought} machines bought, ${figures.machines.taken} taken; all ${churn.pods()} Pods ran after ${recoveredSeconds} s`,
      held.map(({ name, rssMb, rssMbPerMinute, descriptors }) => `${name} ${rssMb} MB${rssMbPerMinute === null ? '' : ` (${rssMbPerMinute} MB/min)`}, ${descriptors.late} descriptors`).join(', '),
    ].join('; ');
    return { detail, figures };
  },
};

/** Who has led leads to its end: a shard without its Lease does not live on. */
function shardOf(replica: Replica): Watched {
  let leadsAs: number | undefined;
  return {
    part: replica.part,
    role: async () => {
      if (leadsAs !== replica.part.pid && (await isReady(replica))) leadsAs = replica.part.pid;
      return leadsAs === undefined || leadsAs !== replica.part.pid ? 'shard, standing by' : 'shard, leading';
    },
  };
}

function linesOf<T>(file: string): T[] {
  return readFileSync(file, 'utf8').split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as T);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}
