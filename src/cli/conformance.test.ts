import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../lib/clock.ts';
import { register } from './conformance.ts';
import { testAuthority } from '../lib/testing/certificates.ts';
import { ModelProvider, state } from '../provider/conformance/testing/model-provider.ts';
import { serveModel, type ServedModel } from '../provider/conformance/testing/serve-model.ts';
import { builtInSeeds } from '../provider/sim/built-in-seeds.ts';
import { runSimProvider } from '../provider/sim/run-sim-provider.ts';
import { fixed, noFailures } from '../provider/testing/sim-harness.ts';

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
    const { code, err } = await conformance('--target', served.address, '--out', join(folder, 'report'));
    expect([code, err]).toEqual([1, expect.stringContaining(`no provider answers at ${served.address}: UNAVAILABLE`)]);
    expect(readdirSync(join(folder, 'report'))).toEqual([]); // not even an empty one
  });

  it('keeps its hands off a provider that serves clusters, unless told', async () => {
    const [slot] = model.slots.values();
    Object.assign(slot!.machine, { state: state.configured, host: { provider: 'model', ref: 'model:///used' }, cluster: 'production' });
    const careful = await conformance('--target', served.address, '--only', 'GetUnknownMachine');
    expect([careful.code, careful.err]).toEqual([2, expect.stringContaining('slot-0 is bound to "production"')]);
    expect((await conformance('--target', served.address, '--only', 'GetUnknownMachine', '--in-use')).out).toContain('1 passed');
  });

  it('speaks TLS, and shows its certificate', async () => {
    const authority = testAuthority();
    const server = authority.issue('bigfleet://readonly');
    const admin = authority.issue('bigfleet://admin');
    const file = (name: string, text: string): string => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    const ca = file('ca.crt', authority.cert);
    const sim = await runSimProvider({
      listen: '127.0.0.1:0', serving: { tlsFiles: { cert: file('tls.crt', server.cert), key: file('tls.key', server.key), ca } }, seeds: () => builtInSeeds(20),
      create: fixed(1), configure: fixed(1), drain: fixed(1), delete: fixed(1), recover: fixed(1), failureRates: noFailures, interruptionsPerHour: 0, seed: 1, onWarning: () => {},
    });
    try {
      const { out } = await conformance(
        '--target', `127.0.0.1:${sim.provider.port}`, '--only', 'FullLifecycle,B301,B308', '--tls-ca', ca, '--tls-cert', file('me.crt', admin.cert), '--tls-key', file('me.key', admin.key),
      );
      expect(out).toContain('INCOMPLETE: 3 passed, 0 failed, 0 skipped');
    } finally {
      await sim.close();
    }
  });

  it.each<[string, string[], RegExp]>([
    ['where no folder can be made', ['--junit', '/proc/x/y/j.xml'], /--junit: cannot write \/proc\/x\/y\/j\.xml: ENOENT/],
    ['below a file', ['--out', `${main}/report`], /--out: cannot write .*main\.ts\/report\/report\.json: ENOTDIR/],
    ['where a folder is', ['--json', tmpdir()], /--json: cannot write .*: EISDIR/],
  ])('refuses a report %s before it tries anything', async (_where, flags, message) => {
    const { code, out, err } = await conformance('--target', served.address, '--only', 'B308', ...flags);
    expect([code, out, err]).toEqual([2, '', expect.stringMatching(message)]);
    expect(err).not.toContain('B308');
  });

  it('says what it found though a report cannot be written in the end', async () => {
    const { code, out, err } = await conformance('--target', served.address, '--only', 'B308', '--junit', '/dev/full');
    expect([code, out, err]).toEqual([2, expect.stringContaining('INCOMPLETE: 1 passed'), expect.stringContaining('--junit: cannot write /dev/full: ENOSPC')]);
  });

  it('names the flag whose file is no certificate, or no key, or not its key', async () => {
    const [one, other] = [testAuthority().issue('bigfleet://admin'), testAuthority().issue('bigfleet://admin')];
    const file = (name: string, text: string): string => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    const [junk, cert, key, strange] = [file('junk', 'hello'), file('crt', one.cert), file('key', one.key), file('strange', other.key)];
    const refusal = async (...flags: string[]): Promise<string> => {
      const program = new Command().exitOverride();
      register(program);
      return program.parseAsync(['conformance', '--target', ':1', ...flags], { from: 'user' }).then(() => '', (error: Error) => `${error.name} ${error.message}`);
    };
    expect(await refusal('--tls-ca', junk)).toMatch(/^UsageError --tls-ca: .*junk cannot be used: /);
    expect(await refusal('--tls-cert', junk, '--tls-key', key)).toMatch(/^UsageError --tls-cert: .*junk cannot be used: /);
    expect(await refusal('--tls-cert', cert, '--tls-key', junk)).toMatch(/^UsageError --tls-key: .*junk cannot be used: /);
    expect(await refusal('--tls-cert', cert, '--tls-key', strange)).toMatch(/^UsageError --tls-cert and --tls-key: .* cannot be used together: /);
  });

  it.each([
    [[], /--target: which provider\?/],
    [['--target', 'nowhere'], /--target: "nowhere" is not an address/],
    [['--target', ':1', '--profile', 'gold'], /--profile: "gold" is not a profile/],
    [['--target', ':1', '--profile', 'durable'], /--start: the durable profile kills the provider/],
    [['--profile', 'durable', '--start', 'p'], /--start: the command must say where {addr} goes/],
    [['--target', ':1', '--tls-cert', 'x'], /--tls-cert and --tls-key belong together/],
    [['--target', ':1', '-o', 'yaml'], /-o: "yaml" is not a format/],
  ])('refuses %j', async (flags, message) => {
    const program = new Command().exitOverride();
    register(program);
    const run = program.parseAsync(['conformance', ...flags], { from: 'user' });
    await expect(run).rejects.toThrow(expect.objectContaining({ name: 'UsageError', message: expect.stringMatching(message) as string }));
  });

  it('lists what a profile requires, one line each', async () => {
    const { code, out } = await conformance('--list', '--profile', 'fault');
    expect([code, out.trimEnd().split('\n').length]).toEqual([0, 25 + 8]);
    expect(out).toMatch(/^B705 +faults +no call revives a FAILED machine/m);
  });
});
