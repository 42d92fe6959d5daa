import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../lib/clock.ts';
import { ModelProvider } from '../provider/conformance/testing/model-provider.ts';
import { serveModel, type ServedModel } from '../provider/conformance/testing/serve-model.ts';

const main = fileURLToPath(new URL('../main.ts', import.meta.url));

/** The command as a process; resolves when it has ended. */
function conformance(...flags: string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    const env = { ...process.env, NODE_OPTIONS: '', BIGFLEET_PROVIDER_TARGET: '' };
    const child = execFile(process.execPath, [main, 'conformance', ...flags], { env }, (_error, out, err) => resolve({ code: child.exitCode ?? -1, out, err }));
  });
}

describe('bigfleet conformance', { timeout: 60_000 }, () => {
  let model: ModelProvider;
  let served: ServedModel;
  let folder: string;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'conformance-'));
    model = new ModelProvider({ seeds: 40, timeoutMs: 1_000, clock: systemClock });
    served = await serveModel(model);
  });
  afterEach(() => {
    served.kill();
    rmSync(folder, { recursive: true });
  });

  it('tries a whole profile and certifies: 0, one JSON document, progress beside it, three files', async () => {
    const { code, out, err } = await conformance('--target', served.address, '--profile', 'spot', '-o', 'json', '--out', join(folder, 'report'));
    expect([code, JSON.parse(out)]).toEqual([0, expect.objectContaining({ kind: 'ConformanceReport', verdict: 'CERTIFIED', passed: 26, failed: 0, skipped: 0, leftBehind: [] })]);
    expect(err).toMatch(/^ok {5}B802 /m);
    expect(readdirSync(join(folder, 'report')).toSorted()).toEqual(['badge.json', 'junit.xml', 'report.json']);
    expect(readFileSync(join(folder, 'report', 'report.json'), 'utf8')).toBe(out);
  });

  it('exits with 1 and says why when a promise is broken', async () => {
    model.isAbove = () => true;
    const { code, out } = await conformance('--target', served.address, '--only', 'B303,B308');
    expect([code, out]).toEqual([1, expect.stringMatching(/FAILED B303: [^]*FAILED_PRECONDITION: \(2, 5\) is not above the mark \(2, 5\)[^]*FAILED: 1 passed, 1 failed/)]);
  });

  it('exits with 3 when something was left out', async () => {
    const { code, out } = await conformance('--target', served.address, '--only', 'B303');
    expect([code, out]).toEqual([3, expect.stringContaining('INCOMPLETE: 1 passed, 0 failed, 0 skipped, 94 required\n  93 of 94 required behaviours were not tried')]);
  });

  it('exits with 1 when nobody answers', async () => {
    served.kill();
    const { code, err } = await conformance('--target', served.address);
    expect([code, err]).toEqual([1, expect.stringContaining(`no provider answers at ${served.address}: UNAVAILABLE`)]);
  });

  it.each([
    [[], /--target: which provider\?/],
    [['--target', 'nowhere'], /--target: "nowhere" is not an address/],
    [['--target', ':1', '--profile', 'gold'], /--profile: "gold" is not a profile/],
    [['--target', ':1', '--profile', 'durable'], /--start: the durable profile kills the provider/],
    [['--profile', 'durable', '--start', 'p'], /--start: the command must say where {addr} goes/],
    [['--target', ':1', '--tls-cert', 'x'], /--tls-cert and --tls-key belong together/],
    [['--target', ':1', '-o', 'yaml'], /-o: "yaml" is not a format/],
  ])('exits with 2 for %j', async (flags, message) => {
    const { code, err } = await conformance(...flags);
    expect([code, err]).toEqual([2, expect.stringMatching(message)]);
  });

  it('lists what a profile requires, one line each', async () => {
    const { code, out } = await conformance('--list', '--profile', 'fault');
    expect([code, out.trimEnd().split('\n').length]).toEqual([0, 25 + 8]);
    expect(out).toMatch(/^B705 +faults +no call revives a FAILED machine/m);
  });
});
