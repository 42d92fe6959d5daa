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
    const settings = new LiveSettings(dir, undefined);
    expect(settings.known).toBe(false);
    expect(settings.current.mode).toBe('Active');
  });

  it('become known also by an object that says only what is the default', () => {
    const settings = new LiveSettings(dir, undefined);
    expect(settings.adopt({ spec: {} })).toBe(true);
    expect(settings.known).toBe(true);
    expect(settings.adopt({ spec: {} })).toBe(false);
  });

  it('outlast the process: a paused shard starts paused, without its API server', () => {
    new LiveSettings(dir, undefined).adopt({ spec: { mode: 'Paused' } });
    const later = new LiveSettings(dir, undefined);
    expect(later.known).toBe(true);
    expect(later.current.mode).toBe('Paused');
    expect(later.adopt({ spec: { mode: 'Active' } })).toBe(true);
    expect(later.current.mode).toBe('Active');
  });

  it('take the grace of the command line', () => {
    expect(new LiveSettings(dir, 7).current.policy.reclaimGraceSeconds).toBe(7);
  });
});
