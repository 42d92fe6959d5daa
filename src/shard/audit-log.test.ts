import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Action } from '../engine/types.ts';
import { AuditLog } from './audit-log.ts';
import { Rotation } from './audit-rotation.ts';
import { toEast } from './testing/machines.ts';

const reclaim: Action = { kind: 'Reclaim', machineId: 'm', cluster: 'west', graceSeconds: 600, preemptorPriority: 0, reason: { code: 'Excess', cluster: 'west', sinceMs: 0 } };
const bootstrap: Action = { kind: 'Bootstrap', machineId: 'n', cluster: '', to: toEast, graceSeconds: 0, preemptorPriority: 0, reason: { code: 'AcquiredIdle', cluster: 'east', fingerprint: 'fp-1', group: '', unitClass: 'cpu=6', priority: 100, effectiveMicroUsdPerHour: 1 } };

const clock = { now: () => Date.UTC(2026, 0, 2, 3, 4, 5, 678) };
let dir: string;
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'audit-'))));
afterEach(() => rmSync(dir, { recursive: true }));
const lines = (): unknown[] => readFileSync(join(dir, 'audit'), 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line) as unknown);

it('keeps one JSON line per action, with whom it is for or from whom it is taken', () => {
  const audit = new AuditLog(join(dir, 'audit'), clock);
  audit.append(7, [reclaim, bootstrap], 'decided');
  expect(lines()).toEqual([
    { time: '2026-01-02T03:04:05.678Z', level: 'info', message: 'action', cycle: 7, kind: 'Reclaim', machine: 'm', cluster: 'west', reason: 'Excess', grace_seconds: 600, outcome: 'decided' },
    { time: '2026-01-02T03:04:05.678Z', level: 'info', message: 'action', cycle: 7, kind: 'Bootstrap', machine: 'n', cluster: 'east', reason: 'AcquiredIdle', grace_seconds: 0, outcome: 'decided' },
  ]);
});

it('appends, also after a restart, and writes nothing for a plan without actions', () => {
  new AuditLog(join(dir, 'audit'), clock).append(1, [reclaim], 'suppressed');
  const again = new AuditLog(join(dir, 'audit'), clock);
  again.append(2, [], 'decided');
  again.append(3, [reclaim], 'dryrun');
  expect(lines()).toMatchObject([{ cycle: 1, outcome: 'suppressed' }, { cycle: 3, outcome: 'dryrun' }]);
});

it('a file that cannot be written is an error at the start, not at the first decision', () => {
  expect(() => new AuditLog(join(dir, 'no', 'audit'), clock)).toThrow(/ENOENT/);
});

it('keeps what a person asked for, which no plan has decided', () => {
  const audit = new AuditLog(join(dir, 'audit'), clock);
  audit.appendRequested('m', 'west', { kind: 'unbind', reason: 'asked', graceSeconds: 600, preemptorPriority: 0, decidedAt: 0, byPerson: true }, 'decided');
  audit.appendRequested('m', '', { kind: 'release', reason: 'asked', decidedAt: 0, byPerson: true }, 'suppressed');
  const common = { time: '2026-01-02T03:04:05.678Z', level: 'info', message: 'action', machine: 'm', reason: 'RequestedByPerson' };
  expect(lines()).toEqual([{ ...common, kind: 'Reclaim', cluster: 'west', grace_seconds: 600, outcome: 'decided' }, { ...common, kind: 'Delete', cluster: '', grace_seconds: 0, outcome: 'suppressed' }]);
});

describe('a line of which only a part was written', () => {
  const whole = (): (number | 'gap')[] => readFileSync(join(dir, 'audit'), 'utf8').split('\n').flatMap((line) => {
    try {
      return [(JSON.parse(line) as { cycle?: number }).cycle ?? 'gap'];
    } catch {
      return [];
    }
  });

  it('takes no later one with it: the disk was full', () => {
    let room = Infinity;
    const write = (file: string, text: string): void => {
      appendFileSync(file, text.slice(0, room));
      if (text.length > room) throw new Error('ENOSPC');
    };
    const audit = new AuditLog(join(dir, 'audit'), clock, { write });
    audit.append(1, [reclaim], 'decided');
    for (room of [40, 0, 3]) expect(() => audit.append(2, [reclaim], 'decided')).toThrow('ENOSPC');
    expect(audit.failure).toBe('ENOSPC');
    room = Infinity;
    audit.append(3, [reclaim], 'decided');
    audit.append(4, [reclaim], 'decided');
    expect([whole(), audit.failure]).toEqual([[1, 'gap', 3, 4], '']);
  });

  it('takes no later one with it: the process was killed', () => {
    writeFileSync(join(dir, 'audit'), '{"time":');
    new AuditLog(join(dir, 'audit'), clock).append(1, [reclaim], 'decided');
    expect(readFileSync(join(dir, 'audit'), 'utf8')).toMatch(/^\{"time":\n\{.*\}\n$/);
    expect(whole()).toEqual([1]);
  });
});

describe('a log that could not be written', () => {
  let room: boolean;
  let now: number;
  const open = (): AuditLog => new AuditLog(join(dir, 'audit'), { now: () => now }, { write: (file, text) => {
    if (!room) throw new Error('ENOSPC');
    appendFileSync(file, text);
  } });
  const gap = { time: '2026-01-02T00:00:40.000Z', level: 'warn', message: 'decisions may be missing', since: '2026-01-02T00:00:10.000Z', error: 'ENOSPC' };
  beforeEach(() => {
    [room, now] = [true, Date.UTC(2026, 0, 2)];
  });
  /** It could not be between the 10th and the 40th second. */
  function failed(): AuditLog {
    const audit = open();
    room = false;
    for (now += 10_000; now < Date.UTC(2026, 0, 2, 0, 0, 40); now += 10_000) expect(() => audit.append(1, [reclaim], 'decided')).toThrow('ENOSPC');
    return audit;
  }

  it('is tried again without a decision, and tells of the gap once', () => {
    const audit = failed();
    audit.retry();
    expect(audit.failure).toBe('ENOSPC');
    room = true;
    audit.retry();
    expect(audit.failure).toBe('');
    audit.retry();
    expect(lines()).toEqual([gap]);
  });

  it('tells of the gap before the next decision', () => {
    const audit = failed();
    room = true;
    audit.append(2, [reclaim], 'decided');
    expect(lines()).toEqual([gap, expect.objectContaining({ message: 'action', cycle: 2 })]);
  });

  it('is left alone while it can be written', () => {
    const audit = open();
    audit.retry();
    expect(readFileSync(join(dir, 'audit'), 'utf8')).toBe('');
  });
});

describe('a log that is full', () => {
  const write = (audit: AuditLog, cycle: number): void => audit.append(cycle, [reclaim], 'decided');
  /** The cycles that each file tells of, the current one first. */
  const cycles = (): number[][] => readdirSync(dir).sort().map((file) => (readFileSync(join(dir, file), 'utf8').match(/"cycle":\d+/g) ?? []).map((c) => Number(c.slice(8))));
  const open = (keep: number, maxBytes = 600, onUnrotated: () => void = () => expect.unreachable()): AuditLog =>
    new AuditLog(join(dir, 'audit'), clock, { rotation: new Rotation(join(dir, 'audit'), { maxBytes, keep }), onUnrotated });

  it('is put aside before it grows beyond its size, and the oldest goes', () => {
    const audit = open(2);
    for (let cycle = 1; cycle <= 11; cycle++) write(audit, cycle);
    expect(readdirSync(dir).sort()).toEqual(['audit', 'audit.1', 'audit.2']);
    expect(cycles()).toEqual([[10, 11], [7, 8, 9], [4, 5, 6]]);
    for (const file of readdirSync(dir)) expect(statSync(join(dir, file)).size).toBeLessThanOrEqual(600);
  });

  it('counts what an earlier process wrote', () => {
    for (let cycle = 1; cycle <= 5; cycle++) write(open(9), cycle);
    expect(cycles()).toEqual([[4, 5], [1, 2, 3]]);
  });

  it('is only emptied where none is to be kept', () => {
    const audit = open(0);
    for (let cycle = 1; cycle <= 5; cycle++) write(audit, cycle);
    expect([readdirSync(dir), cycles()]).toEqual([['audit'], [[4, 5]]]);
  });

  it('takes a plan that is larger than a whole file', () => {
    const audit = open(9, 10);
    write(audit, 1);
    write(audit, 2);
    expect(cycles()).toEqual([[2], [1]]);
  });

  it('does not grow by what could not be written, and keeps what earlier files tell', () => {
    let isFull = true;
    const disk = (file: string, text: string): void => {
      if (isFull && text !== '') throw new Error('ENOSPC');
      appendFileSync(file, text);
    };
    for (let cycle = 1; cycle <= 5; cycle++) write(open(2), cycle);
    const audit = new AuditLog(join(dir, 'audit'), clock, { write: disk, rotation: new Rotation(join(dir, 'audit'), { maxBytes: 750, keep: 2 }) });
    for (let i = 0; i < 20; i++) expect(() => write(audit, 6)).toThrow('ENOSPC');
    isFull = false;
    write(audit, 7);
    expect(cycles()).toEqual([[4, 5, 7], [1, 2, 3]]);
  });

  it('loses no line when it cannot be put aside, says so, and tries again after another tenth', () => {
    mkdirSync(join(dir, 'audit.1', 'in the way'), { recursive: true });
    const failures: number[] = [];
    let cycle = 1;
    const audit = open(1, 2_500, () => failures.push(cycle));
    for (; cycle <= 20; cycle++) write(audit, cycle);
    expect(lines()).toHaveLength(20);
    expect(failures).toEqual([14, 16, 18, 20]);
    rmSync(join(dir, 'audit.1'), { recursive: true });
    for (; cycle <= 22; cycle++) write(audit, cycle);
    expect(lines().length).toBeLessThanOrEqual(2);
  });
});
