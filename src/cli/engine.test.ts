import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { planOnce } from '../engine/engine.ts';
import { parseSnapshot } from '../snapshot/parse.ts';
import { readEngineFile, readSnapshotFile, writeSnapshotFile } from './engine-file.ts';
import { register } from './engine.ts';

const DOCUMENT = { machines: [{ id: 'idle-{1..3}' }, { id: 'buy', state: 'Speculative', priceMicroUsdPerHour: 96_000 }], clusters: { prod: { needs: [{ units: 4 }] } } };

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bigfleet-engine-'));
});
afterEach(async () => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
  await rm(folder, { recursive: true });
});

const path = (name: string): string => join(folder, name);

/** What the command prints, and the exit code that it asks for. */
async function run(...args: string[]): Promise<{ out: string; err: string; exit: number }> {
  const printed = { out: '', err: '' };
  const keep = (to: 'out' | 'err') => (text: unknown) => {
    printed[to] += String(text);
    return true;
  };
  vi.spyOn(process.stdout, 'write').mockImplementation(keep('out'));
  vi.spyOn(process.stderr, 'write').mockImplementation(keep('err'));
  const program = new Command('bigfleet').exitOverride();
  register(program);
  process.exitCode = undefined;
  await program.parseAsync(['engine', ...args], { from: 'user' });
  return { ...printed, exit: Number(process.exitCode ?? 0) };
}

async function written(name: string, withPlan = false): Promise<string> {
  const { snapshot, at } = parseSnapshot(DOCUMENT);
  await writeSnapshotFile(path(name), snapshot, at, withPlan ? planOnce(snapshot, at) : undefined);
  return path(name);
}

describe('files', () => {
  it.each(['compressed.snap', 'readable.json'])('%s hold the same, whatever their form', async (name) => {
    const { snapshot, at } = parseSnapshot(DOCUMENT);
    expect(await readSnapshotFile(await written(name))).toEqual({ snapshot, at });
    expect((await readFile(path(name)))[0]).toBe(name.endsWith('.json') ? 0x7b : 0x1f);
    expect(await readdir(folder)).toEqual([name]);
  });

  it('are not begun where they cannot be finished', async () => {
    const { snapshot, at } = parseSnapshot(DOCUMENT);
    await writeFile(path('file'), '');
    await expect(writeSnapshotFile(path('file/below'), snapshot, at)).rejects.toThrow(/ENOTDIR/);
    expect(await readdir(folder)).toEqual(['file']);
  });

  it.each<[string, (whole: Buffer) => Buffer | string, RegExp]>([
    ['empty', () => '', /: the file is empty/],
    ['cut off', (whole) => whole.subarray(0, whole.length - 9), /is compressed, but truncated or damaged: unexpected end of file/],
    ['damaged', (whole) => Buffer.concat([whole.subarray(0, 40), Buffer.from('####'), whole.subarray(44)]), /is compressed, but truncated or damaged/],
    ['text that is cut off', () => '{"machines": [', /this is no JSON, or only the beginning of one/],
    ['text in which a field is written twice', () => '{"machines": [], "clusters": {"c": {"needs": [], "needs": []}}}', /clusters\.c\.needs: is written twice in one object; keep one of them/],
    ['text nested without end', () => '['.repeat(200_000) + ']'.repeat(200_000), /objects and lists are more than 100 deep in each other/],
    ['a plan nested without end', () => `{"plan":${'{"a":'.repeat(200_000)}1${'}'.repeat(200_000)}}`, /objects and lists are more than 100 deep in each other/],
    ['something else', () => '{"machines": [{"id": 3}]}', /machines\[0\]\.id: found 3, expected a name/],
    ['a plan', () => '{"format": "bigfleet.engine.plan/v1"}', /this is a plan, not a snapshot/],
  ])('that are %s are refused, named', async (_, spoil, message) => {
    const whole = await readFile(await written('a.snap'));
    await writeFile(path('b.snap'), spoil(whole));
    const reading = readSnapshotFile(path('b.snap'));
    await expect(reading).rejects.toThrow(expect.objectContaining({ name: 'UsageError', message: expect.stringMatching(message) as string }));
    await expect(reading).rejects.toThrow(`${path('b.snap')}: `);
  });

  it('may begin with a byte order mark', async () => {
    await writeFile(path('marked.json'), `\uFEFF${JSON.stringify(DOCUMENT)}`);
    expect(await readSnapshotFile(path('marked.json'))).toEqual(parseSnapshot(DOCUMENT));
  });

  it('that are missing are named', async () => {
    await expect(readEngineFile(path('none'))).rejects.toThrow(expect.objectContaining({ name: 'UsageError', message: expect.stringMatching(/none: cannot be read: ENOENT/) as string }));
  });
});

describe('engine plan', () => {
  it('prints what is decided and why, machines that share a reason on one line', async () => {
    const { out, exit } = await run('plan', '-f', await written('a.snap'));
    expect(out).toContain('4 machines for $0.00 per hour; 1 need, 0 unmet; 4 actions.');
    expect(out).toMatch(/Bootstrap +idle-\{1\.\.3\} +3 +prod +Chosen among the idle machines/);
    expect(out).toMatch(/prod +0 +cpu=6 +Satisfied with 4 machines/);
    expect(exit).toBe(0);
  });

  it('prints data', async () => {
    const { out } = await run('plan', '-f', await written('a.json'), '-o', 'json');
    expect(JSON.parse(out)).toMatchObject({
      format: 'bigfleet.engine.plan/v1',
      actions: [{ kind: 'Bootstrap', machineId: 'idle-1' }, { machineId: 'idle-2' }, { machineId: 'idle-3' }, { kind: 'Provision', machineId: 'buy' }],
      verdicts: [{ cluster: 'prod', satisfied: true, aggregate: { cpu: '4' } }],
      reasons: [{ machines: ['buy'], reason: { code: 'AcquiredSpeculative' }, sentence: expect.stringMatching(/^To be bought/) as string }, { machines: ['idle-{1..3}'] }],
    });
  });

  it('prints what would be different', async () => {
    const { out } = await run('plan', '-f', await written('a.snap'), '--demand', 'prod=0.75', '--compare');
    expect(out).toContain('- is as it is, + is as if.');
    expect(out).toContain('action buy\n  - Provision prod: To be bought for demand');
    expect(out).not.toContain('idle');
  });

  it.each([[['--demand', 'pord=2'], /did you mean "prod"/], [['-o', 'yaml'], /-o: "yaml" is not a format; write table or json/]])('refuses %j', async (flags, message) => {
    await expect(run('plan', '-f', await written('a.snap'), ...flags)).rejects.toThrow(expect.objectContaining({ name: 'UsageError', message: expect.stringMatching(message) as string }));
  });
});

describe('engine replay', () => {
  it('says that the plan in the file is equal', async () => {
    const { err, exit } = await run('replay', await written('a.snap', true));
    expect(err).toContain('the plan that was made is equal, byte for byte');
    expect(exit).toBe(0);
  });

  it('says where it differs, and exits with 1', async () => {
    const text = await readFile(await written('a.json', true), 'utf8');
    await writeFile(path('b.json'), text.replace('"graceSeconds":0', '"graceSeconds":9'));
    const { err, exit } = await run('replay', path('b.json'), '-o', 'json');
    expect(err).toMatch(/differs; the first difference:\n {2}made: .*"graceSeconds":9.*\n {2}replayed: .*"graceSeconds":0/);
    expect(exit).toBe(1);
  });

  it('says that there is nothing to compare with', async () => {
    const { err, exit } = await run('replay', await written('a.snap'));
    expect(err).toContain('carries no plan to compare with');
    expect(exit).toBe(0);
  });
});

describe('engine diff', () => {
  it('takes snapshots and plans, and exits with 0 if they are equal', async () => {
    const a = await written('a.snap');
    await writeFile(path('plan.json'), (await run('plan', '-f', a, '-o', 'json')).out);
    expect(await run('diff', path('plan.json'), a)).toMatchObject({ out: 'No difference.\n', exit: 0 });
  });

  it('says what differs, and exits with 1', async () => {
    const a = await written('a.json');
    await writeFile(path('b.json'), (await readFile(a, 'utf8')).replace('"cpu":"4"', '"cpu":"3"'));
    const { out, exit } = await run('diff', a, path('b.json'));
    expect(out).toContain('reason buy\n  - To be bought');
    expect(exit).toBe(1);
    expect(JSON.parse((await run('diff', a, path('b.json'), '-o', 'json')).out)).toContainEqual(expect.objectContaining({ section: 'action', of: 'buy' }));
  });
});
