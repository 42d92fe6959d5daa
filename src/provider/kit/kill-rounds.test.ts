import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { killRounds } from '../testing/kill-rounds.ts';

/** `npm run bench -- provider --shape kill` does fifty rounds. */
it('keeps marks, operation ids and bindings when it is killed amid 200 concurrent mutations', async () => {
  const directory = fs.mkdtempSync(join(tmpdir(), 'provider-kill-rounds-'));
  try {
    const report = await killRounds({ state: join(directory, 'state'), rounds: 4, seed: 1, concurrent: 200 });
    expect(report.violations).toEqual([]);
    // There was something to keep, of all kinds.
    expect(report.answered).toBeGreaterThan(500);
    expect(report.marksChecked).toBeGreaterThan(300);
    expect(report.idsChecked).toBeGreaterThan(300);
    expect(report.bindingsChecked).toBeGreaterThan(20);
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
}, 120_000);
