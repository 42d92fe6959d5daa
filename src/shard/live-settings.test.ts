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
    new LiveSettings(dir).adopt({ spec: { mode: 'Paused' } });
    const later = new LiveSettings(dir);
    expect(later.known).toBe(true);
    expect(later.current.mode).toBe('Paused');
    expect(later.adopt({ spec: { mode: 'Active' } })).toBe(true);
    expect(later.current.mode).toBe('Active');
  });

  it('take the graces of the command line, whatever the object says', () => {
    const settings = new LiveSettings(dir, { reclaimSeconds: 7, preemptionSeconds: [1, 2, 3, 5] });
    expect(settings.current.policy).toMatchObject({ reclaimGraceSeconds: 7, preemptionGraceSeconds: [1, 2, 3, 5] });
    settings.adopt({ spec: { mode: 'Active' } });
    expect(settings.current.policy).toMatchObject({ reclaimGraceSeconds: 7, preemptionGraceSeconds: [1, 2, 3, 5] });
    expect(new LiveSettings(dir).current.policy).toMatchObject({ reclaimGraceSeconds: 600, preemptionGraceSeconds: [10, 30, 120, 600] });
  });
});
