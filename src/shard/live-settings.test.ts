import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LiveSettings } from './live-settings.ts';

describe('the settings in force', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'live-settings-'));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  it('are the defaults, and not known, until somebody said something', () => {
    const settings = new LiveSettings(dir);
    expect(settings.known).toBe(false);
    expect(settings.current.mode).toBe('Active');
  });

  it('become known also by an object that says only what is the default', () => {
    const settings = new LiveSettings(dir);
    expect(settings.adopt({ spec: {} })).toBe(true);
    expect(settings.known).toBe(true);
    expect(settings.adopt({ spec: {} })).toBe(false);
  });

  it('outlast the process: a paused shard starts paused, without its API server', () => {
    const settings = new LiveSettings(dir);
    settings.adopt({ spec: { mode: 'Paused' } });
    settings.keep();
    const later = new LiveSettings(dir);
    expect(later.known).toBe(true);
    expect(later.current.mode).toBe('Paused');
    expect(later.adopt({ spec: { mode: 'Active' } })).toBe(true);
    expect(later.current.mode).toBe('Active');
  });

  it('are in force while they cannot be written, and are kept as soon as they can: the last ones', () => {
    let refused = true;
    const replaced: string[] = [];
    const disk = { replace: (_file: string, text: string) => { if (refused) throw new Error('ENOSPC'); replaced.push(text); } };
    const settings = new LiveSettings(dir, {}, disk);
    settings.keep(); // nothing to keep
    expect(settings.adopt({ spec: { mode: 'DryRun' } })).toBe(true);
    expect(() => settings.keep()).toThrow(/would not outlast a restart: ENOSPC/);
    expect(settings.adopt({ spec: { mode: 'Paused' } })).toBe(true);
    expect([settings.current.mode, settings.adopt({ spec: { mode: 'Paused' } })]).toEqual(['Paused', false]);
    expect(() => settings.keep()).toThrow();
    refused = false;
    settings.keep();
    settings.keep();
    expect(replaced).toEqual(['{"mode":"Paused"}']);
  });

  it('take the graces of the command line, whatever the object says', () => {
    const settings = new LiveSettings(dir, { reclaimSeconds: 7, preemptionSeconds: [1, 2, 3, 5] });
    expect(settings.current.policy).toMatchObject({ reclaimGraceSeconds: 7, preemptionGraceSeconds: [1, 2, 3, 5] });
    settings.adopt({ spec: { mode: 'Active' } });
    expect(settings.current.policy).toMatchObject({ reclaimGraceSeconds: 7, preemptionGraceSeconds: [1, 2, 3, 5] });
    expect(new LiveSettings(dir).current.policy).toMatchObject({ reclaimGraceSeconds: 600, preemptionGraceSeconds: [10, 30, 120, 600] });
  });
});
