import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Action } from '../engine/types.ts';
import { AuditLog } from './audit-log.ts';
import { toEast } from './testing/machines.ts';

const reclaim: Action = { kind: 'Reclaim', machineId: 'm', cluster: 'west', graceSeconds: 600, preemptorPriority: 0, reason: { code: 'Excess', cluster: 'west', sinceMs: 0 } };
const bootstrap: Action = { kind: 'Bootstrap', machineId: 'n', cluster: '', to: toEast, graceSeconds: 0, preemptorPriority: 0, reason: { code: 'AcquiredIdle', cluster: 'east', fingerprint: 'fp-1', group: '', unitClass: 'cpu=6', priority: 100, effectiveMicroUsdPerHour: 1 } };

let dir: string;
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'audit-'))));
afterEach(() => rmSync(dir, { recursive: true }));
const lines = (): unknown[] => readFileSync(join(dir, 'audit'), 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line) as unknown);

it('keeps one JSON line per action, with whom it is for or from whom it is taken', () => {
  const audit = new AuditLog(join(dir, 'audit'));
  audit.append(Date.UTC(2026, 0, 2, 3, 4, 5, 678), 7, [reclaim, bootstrap], 'decided');
  expect(lines()).toEqual([
    { time: '2026-01-02T03:04:05.678Z', level: 'info', message: 'action', cycle: 7, kind: 'Reclaim', machine: 'm', cluster: 'west', reason: 'Excess', grace_seconds: 600, outcome: 'decided' },
    { time: '2026-01-02T03:04:05.678Z', level: 'info', message: 'action', cycle: 7, kind: 'Bootstrap', machine: 'n', cluster: 'east', reason: 'AcquiredIdle', grace_seconds: 0, outcome: 'decided' },
  ]);
});

it('appends, also after a restart, and writes nothing for a plan without actions', () => {
  new AuditLog(join(dir, 'audit')).append(0, 1, [reclaim], 'suppressed');
  const again = new AuditLog(join(dir, 'audit'));
  again.append(0, 2, [], 'decided');
  again.append(0, 3, [reclaim], 'dryrun');
  expect(lines()).toMatchObject([{ cycle: 1, outcome: 'suppressed' }, { cycle: 3, outcome: 'dryrun' }]);
});

it('a file that cannot be written is an error at the start, not at the first decision', () => {
  expect(() => new AuditLog(join(dir, 'no', 'audit'))).toThrow(/ENOENT/);
});
