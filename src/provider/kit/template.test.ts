import { credentials } from '@grpc/grpc-js';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { CloudBackend } from '../../../examples/provider-template/backend.ts';
import { makeBelieveCloud, type Cloud } from '../../../examples/provider-template/cloud.ts';
import { sleep, systemClock } from '../../lib/clock.ts';
import { VirtualClock } from '../../lib/virtual-clock.ts';
import * as kit from './index.ts';
import { explanation, tally } from '../conformance/report.ts';
import { runSuite } from '../conformance/run-suite.ts';
import { select } from '../conformance/select.ts';
import { failureClass } from '../failure-class.ts';

const main = fileURLToPath(new URL('../../../examples/provider-template/main.ts', import.meta.url));

/** The template as an author would start it, by the name that the kit is exported under, and the suite on the other end of a socket. */
it('the template for authors keeps the contract as it is: the baseline, core, cloud and spot', { timeout: 120_000 }, async () => {
  const child = spawn(process.execPath, [main, '--addr', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, NODE_OPTIONS: '' } });
  try {
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    const result = await runSuite({
      ...select('core,cloud,spot'), target: (JSON.parse(line) as { address: string }).address, credentials: credentials.createInsecure(), seed: 1, runId: 'test',
      pace: { reachMs: 60_000, stillMs: 50, markMs: 50, quietMs: 100, faultTimeoutMs: 2_000, soakMs: 100 }, scaleMachines: 90, clock: systemClock,
    });
    expect(result.outcomes.map(explanation).join('')).toBe('');
    expect([result.verdict, tally(result.outcomes).skipped]).toEqual(['CERTIFIED', 0]);
  } finally {
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
  expect(child.exitCode).toBe(0);
});

it.each([
  ...['cert=a key=b', 'cert=a ca=c', 'key=b ca=c', 'ca=c'].map((given) => [given, '--tls-cert, --tls-key and --tls-ca go together'] as const),
  ...['cert=', 'cert= key= ca=', 'cert= key=b ca=c'].map((given) => [given, '--tls-cert is empty; '] as const),
  ['cert=a key=b ca=', '--tls-ca is empty; '] as const,
])('the template does not serve in plaintext who asks for TLS: only %s', async (given, words) => {
  const child = spawn(process.execPath, [main, '--addr', '127.0.0.1:0', ...given.split(' ').map((flag) => `--tls-${flag}`)], { stdio: ['ignore', 'ignore', 'pipe'], timeout: 15_000, env: { ...process.env, NODE_OPTIONS: '' } });
  const [said] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  expect([child.exitCode, said]).toEqual([2, expect.stringContaining(words)]);
});

describe('a Drain of the template gives Pods their grace period', () => {
  const drain = async (seconds: bigint, hasPods: (second: number) => boolean | Error): Promise<number> => {
    const clock = new VirtualClock();
    const cloud: Cloud = {
      ...makeBelieveCloud(),
      hasPods: () => {
        const answer = hasPods(clock.monotonic() / 1_000);
        return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
      },
      wipe: () => Promise.resolve(void (wipedAt = clock.monotonic() / 1_000)),
    };
    let wipedAt = -1;
    const backend = new CloudBackend(cloud, [], { now: () => clock.monotonic(), pause: (ms, signal) => sleep(clock, ms, signal) });
    const machine = { id: 'm', host: { provider: 'mycloud', ref: 'mycloud:///server-1' } } as unknown as kit.Machine;
    const drained = backend.drainInstance({ machine, gracePeriodSeconds: seconds, operationId: 'op-1' }, new AbortController().signal);
    await clock.advance(3_600_000);
    await drained;
    return wipedAt;
  };

  it.each<[string, bigint, number, (second: number) => boolean | Error]>([
    ['all of it while they stay', 600n, 600, () => true],
    ['until they have left', 600n, 45, (second) => second < 42],
    ['none where there are none', 600n, 0, () => false],
    ['all of it while the cloud cannot tell', 12n, 12, () => new Error('503')],
    ['nor any that they do not have', 0n, 0, () => true],
  ])('%s', async (_what, seconds, wipedAt, hasPods) => {
    expect(await drain(seconds, hasPods)).toBe(wipedAt);
  });
});

it('the guide names profiles, errors and classes of failures that there are', () => {
  const guide = readFileSync(new URL('../../../docs/provider-authors.md', import.meta.url), 'utf8');
  const profiles = [...guide.slice(guide.indexOf('## Certify it')).matchAll(/^\| ((?:`[a-z-]+`(?:, )?)+) \|/gm)].flatMap(([, cell]) => [...cell!.matchAll(/`([a-z-]+)`/g)].map(([, name]) => name!));
  expect(profiles.length).toBeGreaterThan(5);
  for (const profile of profiles) expect(() => select(profile)).not.toThrow();
  const errors = new Set([...guide.matchAll(/`(\w+Error)`/g)].map(([, name]) => name!));
  expect(errors.size).toBeGreaterThan(3);
  for (const name of errors) expect(kit).toHaveProperty(name);
  const classes = [...guide.matchAll(/`\[(\w+)\]`/g)].map(([, name]) => name!);
  expect(classes.length).toBeGreaterThan(3);
  for (const name of classes) expect(failureClass(`[${name}] words`)).toBe(name);
});
