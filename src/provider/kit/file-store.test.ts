import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { slot } from '../testing/scripted-backend.ts';
import { openFileStore, type FileStoreOptions } from './file-store.ts';
import { machineOf } from './machine.ts';
import type { StateChange, StateStore } from './state-store.ts';

let directory: string;
const open: StateStore[] = [];
beforeEach(() => void (directory = fs.mkdtempSync(join(tmpdir(), 'provider-store-'))));
afterEach(async () => {
  for (const store of open.splice(0)) await store.close();
  fs.rmSync(directory, { recursive: true });
});

function store(options: Partial<FileStoreOptions> = {}): StateStore {
  const one = openFileStore({ directory, durability: 'process', ...options });
  open.push(one);
  return one;
}

async function reopen(): Promise<StateStore> {
  await open.pop()?.close();
  return store();
}

const fence = (n: number): StateChange => ({ fence: { shardId: 's', machineId: `m-${n}`, epoch: 2n ** 63n - 1n, sequence: -BigInt(n) } });
const files = (): string[] => fs.readdirSync(directory).filter((name) => /^state-\d+\.jsonl$/.test(name)).sort();
const path = (): string => join(directory, files()[0]!);

describe('the file store', () => {
  it('returns what was put in: odd keys, 64-bit numbers, bytes', async () => {
    const change: StateChange = {
      machine: {
        machine: { ...machineOf(slot('m', { labels: { a: 'ü\n' } })), state: 'Configuring', cluster: 'c', host: { provider: 'p', ref: 'r' }, allocatable: { cpu: '1' }, shardMetadata: new Map([['__proto__', '\0'], ['', '🐘']]) },
        revision: 9_007_199_254_740_991,
        operations: { Create: 'op-1', Configure: 'op-2' },
        pending: { kind: 'Configure', operationId: 'op-2', bootstrapBlob: Buffer.from([0, 255, 10, 13]) },
      },
      nextOperation: 3,
      ...fence(1),
    };
    const drain: StateChange = { machine: { ...change.machine!, pending: { kind: 'Drain', operationId: 'op-9', gracePeriodSeconds: 2n ** 60n } } };
    expect(store().load()).toBeUndefined();
    open[0]!.append(change);
    open[0]!.append(drain);
    expect([...(await reopen()).load()!]).toEqual([change, drain]);
  });

  it('forgets a last line that was cut off, and goes on behind the one before', async () => {
    const first = store();
    first.load();
    first.append(fence(1));
    first.append(fence(2));
    await first.close();
    const whole = fs.readFileSync(path());
    for (let cut = 1; cut < 40; cut++) {
      fs.writeFileSync(path(), whole.subarray(0, whole.length - cut));
      const again = await reopen();
      expect([...again.load()!]).toEqual([fence(1)]);
      again.append(fence(3));
      expect([...(await reopen()).load()!]).toEqual([fence(1), fence(3)]);
    }
  });

  it('notices that a line is missing', async () => {
    store().load();
    for (let i = 0; i < 4; i++) open[0]!.append(fence(i));
    await open[0]!.close();
    const lines = fs.readFileSync(path(), 'utf8').split('\n');
    fs.writeFileSync(path(), lines.filter((_, i) => i !== 2).join('\n'));
    const again = await reopen();
    expect(() => again.load()).toThrow(/:3: damaged: the checksum is wrong/);
  });

  it('goes on with a file of the version before, whose lines have no checksum', async () => {
    fs.writeFileSync(join(directory, 'state-00000001.jsonl'), '{"format":"bigfleet-provider-state","version":1}\n{"fence":["s","m-1","9223372036854775807","-1"]}\n');
    const first = store();
    expect([...first.load()!]).toEqual([fence(1)]);
    first.append(fence(2));
    const second = await reopen();
    expect([...second.load()!]).toEqual([fence(1), fence(2)]);
    second.append(fence(3));
    expect([...(await reopen()).load()!]).toEqual([fence(1), fence(2), fence(3)]);
  });

  it('treats a file that was cut within its very first line as new', async () => {
    store().load();
    open[0]!.append(fence(1));
    await open[0]!.close();
    fs.truncateSync(path(), 7);
    const again = await reopen();
    expect(again.load()).toBeUndefined();
    again.append(fence(2));
    expect([...(await reopen()).load()!]).toEqual([fence(2)]);
  });

  it('names the file and the line of any other damage', async () => {
    store().load();
    for (let i = 0; i < 4; i++) open[0]!.append(fence(i));
    await open[0]!.close();
    const lines = fs.readFileSync(path(), 'utf8').split('\n');
    const header = lines[0]!;
    const damage = async (index: number, text: string): Promise<string> => {
      fs.writeFileSync(path(), lines.map((line, i) => (i === index ? text : line)).join('\n'));
      const again = await reopen();
      try {
        again.load();
        return 'nothing';
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(await damage(2, '{"fence":["s","m"')).toMatch(/state-00000001\.jsonl:3: damaged: .*Restore/);
    expect(await damage(3, lines[3]!.replace('"-2"', '"-1"'))).toMatch(/:4: damaged: the checksum is wrong/);
    expect(await damage(3, lines[2]!)).toMatch(/:4: damaged: the checksum is wrong/); // a line that stands in for another
    lines[0] = header.replace('2', '1'); // older files have lines without a checksum
    expect(await damage(4, '{"fence":["s","m","x","1"]}')).toMatch(/:5: damaged: fence\[2\]: must be a whole number/);
    expect(await damage(1, '{"machine":{"operations":{},"revision":1,"record":{"shardMetadata":[],"id":7}}}')).toMatch(/:2: damaged: machine.record.id: must be a string/);
    expect(await damage(4, lines[4]!.replace('"-3"', '"-1"'))).toMatch(/:5: damaged: the checksum is wrong/);
    expect(await damage(0, 'hello')).toMatch(/:1: not a provider state file/);
  });

  it('keeps no half of a line whose write failed', async () => {
    const one = store();
    one.load();
    one.append(fence(1));
    const size = fs.statSync(path()).size;
    const original = fs.writeSync;
    // The first half gets to the file, then the disk is full.
    const broken = ((fd: number, buffer: Buffer, offset: number, length: number, position: number) => {
      if (offset > 0) throw new Error('ENOSPC');
      return original(fd, buffer, offset, Math.floor(length / 2), position);
    }) as typeof fs.writeSync;
    const { default: mutable } = (await import('node:fs')) as unknown as { default: { writeSync: typeof fs.writeSync } };
    const { syncBuiltinESMExports } = await import('node:module');
    mutable.writeSync = broken;
    syncBuiltinESMExports();
    try {
      expect(() => one.append(fence(2))).toThrow('ENOSPC');
    } finally {
      mutable.writeSync = original;
      syncBuiltinESMExports();
    }
    expect(fs.statSync(path()).size).toBe(size);
    one.append(fence(3));
    expect([...(await reopen()).load()!]).toEqual([fence(1), fence(3)]);
  });

  it('compacts into a new file while changes go on, and loses none of them', async () => {
    const one = store({ compactAfterLines: 2_000 });
    one.load();
    const marks = new Map<string, StateChange>();
    let sequence = 0n;
    const put = (n: number): void => {
      const change: StateChange = { fence: { shardId: 's', machineId: `m-${n}`, epoch: 1n, sequence: ++sequence } };
      one.append(change);
      marks.set(`m-${n}`, change);
      one.maybeCompact(() => marks.values());
    };
    for (let i = 0; i < 2_000; i++) put(i % 1_500);
    expect(files()).toEqual(['state-00000001.jsonl']); // a slice of the snapshot is written, the rest comes turn by turn
    for (let i = 0; files()[0] !== 'state-00000002.jsonl'; i++) {
      put(i); // one that the snapshot holds already
      put(10_000 + i);
      await new Promise((resolve) => setImmediate(resolve));
    }
    put(20_000);
    const loaded = new Map([...(await reopen()).load()!].map((change) => [change.fence!.machineId, change]));
    expect(loaded).toEqual(marks);
    expect(files()).toEqual(['state-00000002.jsonl']);
  });

  it('removes what an interrupted compaction left behind', async () => {
    store().load();
    open[0]!.append(fence(1));
    await open[0]!.close();
    fs.writeFileSync(join(directory, 'state-00000002.jsonl.tmp'), 'half a snap');
    expect([...(await reopen()).load()!]).toEqual([fence(1)]);
    expect(files()).toEqual(['state-00000001.jsonl']);
  });

  it('syncs what was appended, and nothing when nothing was', async () => {
    const one = store({ durability: 'disk' });
    one.load();
    one.append(fence(1));
    const { default: mutable } = (await import('node:fs')) as unknown as { default: { fdatasync: typeof fs.fdatasync } };
    const { syncBuiltinESMExports } = await import('node:module');
    const original = mutable.fdatasync;
    let syncs = 0;
    mutable.fdatasync = ((fd: number, done: fs.NoParamCallback) => {
      syncs += 1;
      original(fd, done);
    }) as typeof fs.fdatasync;
    syncBuiltinESMExports();
    try {
      await one.flush();
      await one.flush();
      expect(syncs).toBe(1);
      one.append(fence(2));
      await one.flush();
      expect(syncs).toBe(2);
    } finally {
      mutable.fdatasync = original;
      syncBuiltinESMExports();
    }
  });

  it('shares one sync among those that wait, and keeps files to their owner', async () => {
    const one = store({ durability: 'disk' });
    one.load();
    one.append(fence(1));
    await Promise.all([one.flush(), one.flush(), one.flush()]);
    expect(fs.statSync(path()).mode & 0o077).toBe(0);
    expect([...(await reopen()).load()!]).toEqual([fence(1)]);
  });

  it('is opened by one at a time; a lock left by the dead is taken over', async () => {
    store();
    expect(() => openFileStore({ directory })).toThrow(/in use by this process/);
    await open.pop()!.close();
    fs.writeFileSync(join(directory, `lock-${process.ppid}-12345-a`), 'held');
    store();
    await open.pop()!.close();
    if (!fs.existsSync('/proc/self/stat')) return; // only there can two processes of one id be told apart
    const stat = fs.readFileSync(`/proc/${process.ppid}/stat`, 'utf8');
    const lock = join(directory, `lock-${process.ppid}-${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}-a`);
    fs.writeFileSync(lock, 'held');
    expect(() => openFileStore({ directory })).toThrow(`in use by process ${process.ppid}`);
    fs.rmSync(lock);
  });
});
