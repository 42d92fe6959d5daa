import { capacityTypeOfWire } from '../kit/wire.ts';
import { inArea, type Behaviour } from './behaviour.ts';
import type { Reply } from './caller.ts';
import { accepted, check } from './expectation.ts';
import { noDuplicates } from './list.ts';
import { contractLatency, stateOf, type Trial } from './trial.ts';
import { machineText } from './wire-text.ts';

const PAGE = 500;
const CHANGED = 20;
const CHURNED = 8;

/** B11xx (spec: provider 1.4): a large fleet, and what becomes of it under load. */
export const scale: readonly Behaviour[] = inArea('scale', 'scale', [
  {
    id: 'B1101',
    promise: 'a full List holds the whole fleet, every record complete',
    async run(t) {
      const machines = await t.inventory();
      check(machines.length >= t.scaleMachines, `at least ${t.scaleMachines} machines (--scale-machines)`, `${machines.length}`);
      noDuplicates(machines, 'the full List');
      for (const m of machines) {
        const type = capacityTypeOfWire(m.capacityType);
        const isComplete = m.instanceType !== '' && m.zone !== '' && type !== undefined && type !== 'Unspecified' && (m.resources?.resources.size ?? 0) > 0;
        check(isComplete, `${m.id} with instance_type, zone, capacity_type and resources`, JSON.stringify({ ...m, labels: undefined, shardMetadata: undefined }));
        stateOf(m);
      }
    },
  },
  {
    id: 'B1102',
    isQuiet: true,
    promise: 'the delta after 20 mutations is exactly those 20 machines',
    async run(t) {
      const ids = await slots(t, CHANGED);
      const before = await t.head();
      await Promise.all(ids.map(async (id) => accepted(await t.create(id, t.stranger(id)), 'Create of a SPECULATIVE machine')));
      await Promise.all(ids.map((id) => t.reach(id, 'Idle')));
      const { machines } = await t.since(before, 'a delta');
      noDuplicates(machines, 'the delta');
      const missing = ids.find((id) => !machines.some((m) => m.id === id));
      check(missing === undefined, `the delta to hold ${CHANGED} changed machines`, `without ${missing ?? ''}`);
      check(machines.length === CHANGED, `nothing but the ${CHANGED} changed machines`, `${machines.length} machines`);
    },
  },
  {
    id: 'B1103',
    isQuiet: true,
    promise: 'capped Lists of 500 are full, without repeats, and parts of the fleet',
    async run(t) {
      const all = new Set((await t.inventory()).map((m) => m.id));
      const size = Math.min(PAGE, all.size);
      for (const _page of [1, 2, 3, 4]) {
        const { machines } = accepted(await t.list({ max: PAGE }), 'List with max_results');
        check(machines.length === size, `${size} machines with max_results ${PAGE}, of ${all.size}`, `${machines.length}`);
        noDuplicates(machines, 'a page');
        const stray = machines.find((m) => !all.has(m.id));
        check(stray === undefined, 'machines of the full List', machineText(stray));
      }
    },
  },
  {
    id: 'B1104',
    promise: `${CHURNED} machines that are created, configured, drained and deleted without pause never get lost or stuck`,
    async run(t) {
      const ids = await slots(t, CHURNED);
      const cycles = await churn(t, ids, t.pace.soakMs);
      t.note(`${cycles} cycles`);
    },
  },
  {
    id: 'B1105',
    promise: 'the fleet keeps its size while machines come and go',
    async run(t) {
      const ids = await slots(t, CHURNED);
      const size = (await t.inventory()).length;
      let isDone = false;
      const churning = churn(t, ids, t.pace.soakMs / 2).finally(() => (isDone = true));
      const sizeIsKept = async (): Promise<void> => {
        const now = (await t.inventory()).length;
        check(now === size, `${size} machines throughout`, `${now}`);
      };
      const watching = (async () => {
        while (!isDone) {
          await sizeIsKept();
          await t.pause(20);
        }
      })();
      await Promise.all([churning, watching]);
      await sizeIsKept();
    },
  },
  {
    id: 'B1106',
    promise: `p99: Get within ${contractLatency.getMs} ms, Create within ${contractLatency.createMs} ms, full List within ${contractLatency.listMs} ms`,
    async run(t) {
      const ids = await slots(t, Math.min(120, Math.floor(t.scaleMachines / 2)));
      const turn = (i: number): string => ids[i % ids.length]!;
      const get = await p99(120, (i) => t.get(turn(i)));
      const create = await p99(120, (i) => t.create(turn(i)));
      const list = await p99(60, () => t.list());
      t.note(`p99 of Get ${get} ms, Create ${create} ms, full List ${list} ms`);
      const { getMs, createMs, listMs } = t.pace.latency ?? contractLatency;
      check(get <= getMs && create <= createMs && list <= listMs, `Get within ${getMs} ms, Create within ${createMs} ms, List within ${listMs} ms`, `Get ${get} ms, Create ${create} ms, List ${list} ms`);
    },
  },
  {
    id: 'B1107',
    promise: `one full List within ${contractLatency.oneListMs} ms`,
    async run(t) {
      const reply = await t.list();
      const { machines } = accepted(reply, 'a full List');
      t.note(`${machines.length} machines in ${Math.round(reply.tookMs)} ms`);
      const { oneListMs } = t.pace.latency ?? contractLatency;
      check(reply.tookMs <= oneListMs, `a full List within ${oneListMs} ms`, `${Math.round(reply.tookMs)} ms`);
    },
  },
  {
    id: 'B1108',
    promise: '16 walks at once have operations and bindings of their own',
    async run(t) {
      const ids = await slots(t, 16);
      const operations = (await Promise.all(ids.map(async (id, i) => {
        const shard = `${t.shard}-${i}`;
        const create = accepted(await t.create(id, t.at(1, 1, shard)), 'Create').operationId;
        await t.reach(id, 'Idle');
        const configure = accepted(await t.configure(id, { cluster: `conf-b1108-${i}`, token: t.at(1, 2, shard) }), 'Configure').operationId;
        const machine = await t.reach(id, 'Configured');
        check(machine.cluster === `conf-b1108-${i}`, `cluster conf-b1108-${i}`, machineText(machine));
        const drain = accepted(await t.drain(id, { token: t.at(1, 3, shard) }), 'Drain').operationId;
        await t.reach(id, 'Idle');
        return [create, configure, drain];
      }))).flat();
      check(new Set(operations).size === operations.length, `${operations.length} different operation ids`, `${new Set(operations).size}`);
    },
  },
  {
    id: 'B1109',
    isQuiet: true,
    promise: 'while nothing is asked nothing moves',
    async run(t) {
      const before = await picture(t);
      await t.pause(Math.min(3_000, Math.max(500, t.pace.soakMs / 4)));
      const after = await picture(t);
      const drifted = [...before].find(([id, text]) => after.get(id) !== text);
      check(drifted === undefined && after.size === before.size, `the fleet as before: ${drifted?.[1] ?? `${before.size} machines`}`, drifted ? (after.get(drifted[0]) ?? 'gone') : `${after.size} machines`);
    },
  },
]);

async function slots(t: Trial, count: number): Promise<string[]> {
  const ids: string[] = [];
  while (ids.length < count) ids.push(await t.speculative());
  return ids;
}

async function picture(t: Trial): Promise<ReadonlyMap<string, string>> {
  return new Map((await t.inventory()).map((m) => [m.id, machineText(m)]));
}

/** Sends every machine round and round; resolves with how many rounds were made. */
async function churn(t: Trial, ids: readonly string[], ms: number): Promise<number> {
  const end = t.clock.monotonic() + ms;
  const rounds = await Promise.all(ids.map(async (id) => {
    let count = 0;
    const shard = `${t.shard}-${id}`;
    let sequence = 0;
    const next = () => t.at(1, ++sequence, shard);
    accepted(await t.create(id, next()), 'Create');
    await t.reach(id, 'Idle');
    do {
      accepted(await t.configure(id, { token: next() }), 'Configure');
      await t.reach(id, 'Configured');
      accepted(await t.drain(id, { token: next() }), 'Drain');
      await t.reach(id, 'Idle');
      const deleted = await t.delete(id, next());
      if (deleted.code !== 'UNIMPLEMENTED') {
        accepted(deleted, 'Delete');
        await t.reach(id, 'Speculative');
        accepted(await t.create(id, next()), 'Create');
        await t.reach(id, 'Idle');
      }
      count += 1;
    } while (count < 2 || t.clock.monotonic() < end);
    return count;
  }));
  return rounds.reduce((sum, n) => sum + n, 0);
}

/** The 99th percentile of `samples` calls, one after the other, in whole milliseconds. */
async function p99(samples: number, call: (i: number) => Promise<Reply<unknown>>): Promise<number> {
  const took: number[] = [];
  for (let i = 0; i < samples; i++) {
    const reply = await call(i);
    accepted(reply, 'a call under measurement');
    took.push(reply.tookMs);
  }
  took.sort((a, b) => a - b);
  return Math.round(took[Math.ceil(0.99 * samples) - 1] ?? 0);
}
