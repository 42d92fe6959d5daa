import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { slot } from '../testing/scripted-backend.ts';
import { DiskRecorder } from '../testing/disk-recorder.ts';
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
/** Lets turns of the event loop pass until the present file is of this generation. */
async function compacted(generation: number): Promise<void> {
  while (files().join() !== `state-0000000${generation}.jsonl`) await new Promise((resolve) => setImmediate(resolve));
}

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

  describe('where a crash left zeros', () => {
    const zeros = Buffer.alloc(5_000);
    /** Of two lines that were stored, and what a start makes of them. */
    async function after(harm: (whole: Buffer) => Buffer): Promise<unknown[]> {
      const one = store();
      one.load();
      one.append({ machine: { machine: machineOf(slot('m', { labels: { a: 'ü🐘' } })), revision: 1, operations: {} } });
      one.append(fence(2));
      await one.close();
      fs.writeFileSync(path(), harm(fs.readFileSync(path())));
      const again = await reopen();
      const read = [...again.load()!];
      again.append(fence(3));
      expect([...(await reopen()).load()!]).toEqual([...read, fence(3)]);
      return read.slice(1);
    }

    it.each([1, 2, 5_000])('behind the last line, %i of them, forgets them', async (count) => {
      expect(await after((whole) => Buffer.concat([whole, zeros.subarray(0, count)]))).toEqual([fence(2)]);
    });

    it.each([1, 2, 5_000])('in place of the last newline, %i of them, keeps the line: nothing of it is missing', async (count) => {
      expect(await after((whole) => Buffer.concat([whole.subarray(0, -1), zeros.subarray(0, count)]))).toEqual([fence(2)]);
    });

    it.each([1, 9, 20])('in place of the end of the last line, %i of them, forgets the line', async (count) => {
      expect(await after((whole) => Buffer.concat([whole.subarray(0, -1 - count), zeros.subarray(0, count + 1)]))).toEqual([]);
    });

    it('and then more, refuses the file', async () => {
      await expect(after((whole) => Buffer.concat([whole, zeros, Buffer.from('x\n')]))).rejects.toThrow(/:5: damaged: the checksum is wrong/);
    });
  });

  it.each([0x0b, 0x20, 0x8a])('refuses a file whose last newline has become %i: what it ends was acknowledged', async (byte) => {
    const one = store();
    one.load();
    one.append(fence(1));
    one.append(fence(2));
    await one.close();
    const harmed = fs.readFileSync(path());
    harmed[harmed.length - 1] = byte;
    fs.writeFileSync(path(), harmed);
    const again = await reopen();
    expect(() => again.load()).toThrow(/:4: damaged: the line is whole, and does not end as it was written\. Restore/);
    expect(fs.readFileSync(path())).toEqual(harmed);
  });

  it.each([
    ['before', '{"format":"bigfleet-provider-state","version":2}\n9c226ae7 {"fence":["s","m-1","9223372036854775807","-1"]}\n'],
    ['before that, whose lines have no checksum', '{"format":"bigfleet-provider-state","version":1}\n{"fence":["s","m-1","9223372036854775807","-1"]}\n'],
  ])('goes on with a file of the version %s', async (_which, text) => {
    fs.writeFileSync(join(directory, 'state-00000001.jsonl'), text);
    const first = store();
    expect([...first.load()!]).toEqual([fence(1)]);
    first.append(fence(2));
    const second = await reopen();
    expect([...second.load()!]).toEqual([fence(1), fence(2)]);
    second.append(fence(3));
    expect([...(await reopen()).load()!]).toEqual([fence(1), fence(2), fence(3)]);
  });

  it.each<[string, (whole: Buffer) => Buffer, RegExp]>([
    ['is empty', () => Buffer.alloc(0), /state-00000001\.jsonl:1: damaged: it has no complete line\. Restore .* or move the directory away/],
    ['is all zeros', (whole) => Buffer.alloc(whole.length), /:1: damaged: it has no complete line/],
    ['is garbage without a newline', (whole) => Buffer.alloc(whole.length, 0xa7), /:1: damaged: it has no complete line/],
    ['ends within its first line', (whole) => whole.subarray(0, 7), /:1: damaged: it has no complete line/],
    ['has only its first line', (whole) => whole.subarray(0, whole.indexOf('\n') + 1), /:2: damaged: it ends before it can have been used/],
    ['has only the first line of the version before', () => Buffer.from('{"format":"bigfleet-provider-state","version":2}\n'), /:2: damaged: it ends before/],
    ['is of a version to come', () => Buffer.from('{"format":"bigfleet-provider-state","version":4}\n'), /:1: not a provider state file of this version\. Restore/],
  ])('never takes a file for a first start that %s, and leaves it as it is', async (_what, harm, message) => {
    store().load();
    open[0]!.append(fence(1));
    await open[0]!.close();
    const harmed = harm(fs.readFileSync(path()));
    fs.writeFileSync(path(), harmed);
    const again = await reopen();
    expect(() => again.load()).toThrow(message);
    expect(() => again.append(fence(2))).toThrow('the state has not been read');
    expect(fs.readFileSync(path())).toEqual(harmed);
  });

  it('refuses a snapshot that was cut, wherever, and keeps the file before it', async () => {
    const one = store({ compactAfterLines: 20 });
    one.load();
    for (let i = 0; i < 20; i++) one.append(fence(i));
    const before = fs.readFileSync(path());
    one.maybeCompact(() => Array.from({ length: 20 }, (_, i) => fence(i)));
    await compacted(2);
    await one.close();
    const whole = fs.readFileSync(path());
    fs.writeFileSync(join(directory, 'state-00000001.jsonl'), before); // as if the process had ended between rename and removal
    const newest = join(directory, 'state-00000002.jsonl');
    for (let cut = 1; cut < whole.length; cut += 17) {
      fs.writeFileSync(newest, whole.subarray(0, whole.length - cut));
      const again = await reopen();
      expect(() => again.load()).toThrow(/state-00000002\.jsonl:\d+: damaged: it /);
    }
    expect(files()).toEqual(['state-00000001.jsonl', 'state-00000002.jsonl']);
    fs.writeFileSync(newest, whole);
    expect([...(await reopen()).load()!]).toHaveLength(20);
    expect(files()).toEqual(['state-00000002.jsonl']);
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
    expect(await damage(4, lines[4]!.replace('"-2"', '"-1"'))).toMatch(/:5: damaged: the checksum is wrong/);
    expect(await damage(4, lines[3]!)).toMatch(/:5: damaged: the checksum is wrong/); // a line that stands in for another
    lines[0] = header.replace('3', '1'); // older files have lines without a checksum
    expect(await damage(4, '{"fence":["s","m","x","1"]}')).toMatch(/:5: damaged: fence\[2\]: must be a whole number/);
    expect(await damage(1, '{"machine":{"operations":{},"revision":1,"record":{"shardMetadata":[],"id":7}}}')).toMatch(/:2: damaged: machine.record.id: must be a string/);
    expect(await damage(5, lines[5]!.replace('"-3"', '"-1"'))).toMatch(/:6: damaged: the checksum is wrong/);
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

  it('makes its first file aside: it has its name only when its first line is on the disk', async () => {
    const one = store({ durability: 'disk' });
    one.load();
    using disk = new DiskRecorder(directory);
    one.append(fence(1));
    const size = fs.statSync(path()).size;
    expect(disk.events).toEqual([`sync state-00000001.jsonl.tmp ${size}`, 'rename state-00000001.jsonl', 'sync directory']);
    expect(fs.readFileSync(path(), 'utf8')).toContain('m-1');
    one.append(fence(2));
    expect(disk.events).toHaveLength(3);
  });

  it.each(['rename', 'sync directory'])('has no file after a first line that could not be stored (%s), and the next is the first', async (step) => {
    const one = store({ durability: 'disk' });
    one.load();
    {
      using _disk = new DiskRecorder(directory, (event) => {
        if (event.startsWith(step)) throw new Error('ENOSPC');
      });
      expect(() => one.append(fence(1))).toThrow('ENOSPC');
      expect(fs.readdirSync(directory).filter((name) => name.startsWith('state-'))).toEqual([]);
    }
    one.append(fence(2));
    one.append(fence(3));
    expect([...(await reopen()).load()!]).toEqual([fence(2), fence(3)]);
  });

  it('starts from nothing after a crash that left no more than a file under its temporary name', () => {
    fs.writeFileSync(join(directory, 'state-00000001.jsonl.tmp'), '');
    const one = store();
    expect(one.load()).toBeUndefined();
    one.append(fence(1));
    expect(files()).toEqual(['state-00000001.jsonl']);
  });

  it('switches to a compacted file when all of it is on the disk, and lets the old one go when its name is', async () => {
    const one = store({ durability: 'disk', compactAfterLines: 3 });
    one.load();
    for (let i = 0; i < 3; i++) one.append(fence(i));
    await one.flush();
    let late = 0;
    using disk = new DiskRecorder(directory, (event) => {
      // The bulk is being synced, off the event loop: what is acknowledged now is on the disk in the old file alone.
      if (event.startsWith('sync state-00000002') && late === 0) one.append(fence(10 + late++));
    });
    one.maybeCompact(() => [fence(0), fence(1), fence(2)]);
    await compacted(2);
    const size = fs.statSync(path()).size;
    expect(late).toBe(1);
    expect(disk.events.slice(-4)).toEqual([`sync state-00000002.jsonl.tmp ${size}`, 'rename state-00000002.jsonl', 'sync directory', 'remove state-00000001.jsonl']);
    expect([...(await reopen()).load()!]).toEqual([fence(0), fence(1), fence(2), fence(10)]);
  });

  it('makes the name of the file durable that it goes on with, before it lets older ones go', async () => {
    const one = store();
    one.load();
    one.append(fence(1));
    await one.close();
    fs.copyFileSync(path(), join(directory, 'state-00000002.jsonl'));
    const again = store({ durability: 'disk' });
    using disk = new DiskRecorder(directory);
    expect([...again.load()!]).toEqual([fence(1)]);
    expect(disk.events).toEqual(['sync directory', 'remove state-00000001.jsonl']);
  });

  it('syncs what was appended, and nothing when nothing was', async () => {
    const one = store({ durability: 'disk' });
    one.load();
    one.append(fence(1));
    using disk = new DiskRecorder(directory);
    await one.flush();
    await one.flush();
    expect(disk.events).toHaveLength(1);
    one.append(fence(2));
    await one.flush();
    expect(disk.events).toHaveLength(2);
  });

  it('shares one sync among those that wait, and keeps files to their owner', async () => {
    const one = store({ durability: 'disk' });
    one.load();
    one.append(fence(1));
    await Promise.all([one.flush(), one.flush(), one.flush()]);
    expect(fs.statSync(path()).mode & 0o077).toBe(0);
    expect([...(await reopen()).load()!]).toEqual([fence(1)]);
  });

  it('is opened by one at a time', async () => {
    store();
    expect(() => openFileStore({ directory })).toThrow(`data directory ${directory} is in use by process ${process.pid}`);
    await open.pop()!.close();
    store();
  });
});
