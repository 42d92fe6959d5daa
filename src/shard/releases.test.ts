import { beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { silentLog } from '../runtime/types.ts';
import { Inventory } from './inventory.ts';
import { Releases } from './releases.ts';
import type { Mode } from './settings.ts';
import { seen, toEast } from './testing/machines.ts';

let inventory: Inventory;
let mode: Mode;
let isFull: boolean;
let audited: string[];
let errors: number;
let done: string[];
let releases: Releases;
const intent = (): string | undefined => inventory.get('m')?.intent?.kind;

beforeEach(() => {
  const clock = new VirtualClock();
  inventory = new Inventory(clock);
  [mode, isFull, audited, errors, done] = ['Active', false, [], 0, []];
  releases = new Releases({
    inventory, clock, log: { ...silentLog, error: () => void errors++ },
    audit: {
      appendRequested: (machine, _cluster, { kind }, outcome) => {
        if (isFull) throw new Error('ENOSPC');
        audited.push(`${outcome} ${kind} ${machine}`);
      },
    },
    mode: () => mode, graceSeconds: () => 5, onDone: (machineId) => done.push(machineId),
  });
  inventory.onChange(({ id }) => releases.step(id));
});
const isSeen = (state: Parameters<typeof seen>[1]): void => inventory.observe(seen('m', state), inventory.mark());

describe('a machine that a person wants gone', () => {
  it('is drained and deleted, each with a line in the audit log before it is decided', () => {
    isSeen('Configured');
    inventory.onChange(() => expect(audited.at(-1)).toMatch(/^decided /));
    releases.ask('m');
    releases.ask('m');
    isSeen('Draining');
    isSeen('Idle');
    expect(audited).toEqual(['decided unbind m', 'decided release m']);
    isSeen('Deleting');
    isSeen('Speculative');
    expect([audited.length, done, releases.has('m')]).toEqual([2, ['m'], false]);
  });

  it('may be one that is not known yet', () => {
    releases.ask('m');
    expect(audited).toEqual([]);
    isSeen('Configured');
    expect(audited).toEqual(['decided unbind m']);
  });

  it('stays while the audit log cannot be written, and is asked about again', () => {
    isSeen('Configured');
    isFull = true;
    releases.ask('m');
    releases.stepAll();
    expect([intent(), errors]).toEqual([undefined, 2]);
    isFull = false;
    releases.stepAll();
    releases.stepAll();
    expect([intent(), audited]).toEqual(['unbind', ['decided unbind m']]);
  });

  it('is forgotten with its object', () => {
    isSeen('Configured');
    isFull = true;
    releases.ask('m');
    releases.forget('m');
    isFull = false;
    releases.stepAll();
    expect([intent(), audited]).toEqual([undefined, []]);
  });

  it.each([['Paused', 'suppressed'], ['DryRun', 'dryrun']] as const)('in mode %s is decided and recorded as %s, and as decided once something is done', (withheld, outcome) => {
    isSeen('Configured');
    mode = withheld;
    releases.ask('m');
    releases.stepAll();
    expect([intent(), audited]).toEqual(['unbind', [`${outcome} unbind m`]]);
    mode = 'Active';
    releases.stepAll();
    releases.stepAll();
    expect([intent(), audited.slice(1)]).toEqual(['unbind', ['decided unbind m']]);
  });

  it('is let go of again when its shard is resumed and the audit log cannot be written', () => {
    isSeen('Configured');
    [mode, isFull] = ['Paused', true]; // nothing is done anyway
    releases.ask('m');
    expect(intent()).toBe('unbind');
    mode = 'Active';
    releases.stepAll();
    expect(intent()).toBeUndefined();
    isFull = false;
    releases.stepAll();
    expect([intent(), audited]).toEqual(['unbind', ['decided unbind m']]);
  });

  it('is nothing to what was decided for somebody else meanwhile', () => {
    isSeen('Idle');
    mode = 'Paused';
    releases.ask('m');
    inventory.setIntent('m', { kind: 'bind', to: toEast, requirements: [], reason: '', decidedAt: 0, configureSent: true });
    mode = 'Active';
    releases.stepAll();
    expect([intent(), audited]).toEqual(['bind', ['suppressed release m']]);
  });
});
