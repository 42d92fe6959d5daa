import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { credentials } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { testAuthority } from '../lib/testing/certificates.ts';
import { codeOf, Rpc, stateName, unfenced } from '../provider/testing/rpc.ts';

const executable = fileURLToPath(new URL('../../hack/bigfleet-provider', import.meta.url));

/** What a suite's runner does that boots the provider itself: one executable, these flags, SIGKILL, the next port. */
describe('a provider booted by the runner of a suite', () => {
  let directory: string;
  const running: { child: ChildProcess; rpc: Rpc }[] = [];
  beforeEach(() => void (directory = fs.mkdtempSync(join(tmpdir(), 'provider-boot-'))));
  afterEach(async () => {
    for (const one of running.splice(0)) await kill(one);
    fs.rmSync(directory, { recursive: true });
  });

  async function boot(...flags: string[]): Promise<{ child: ChildProcess; rpc: Rpc }> {
    const port = await freePort();
    const child = spawn(executable, [`--addr=127.0.0.1:${port}`, ...flags], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, NODE_OPTIONS: '' } });
    const one = { child, rpc: new Rpc(port) };
    running.push(one);
    for await (const line of createInterface({ input: child.stdout })) {
      expect(JSON.parse(line)).toEqual({ event: 'listening', address: `127.0.0.1:${port}` });
      return one;
    }
    throw new Error('the process ended before it served');
  }

  async function kill({ child, rpc }: { child: ChildProcess; rpc: Rpc }): Promise<void> {
    rpc.close();
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL'); // the process itself: no shell or launcher stands in between
    await once(child, 'exit');
  }

  /** The delta that brings the machine into the state. */
  async function reaches(rpc: Rpc, id: string, state: string): Promise<void> {
    while (stateName(await rpc.get(id)) !== state) await new Promise((resolve) => setImmediate(resolve));
  }

  it('keeps marks, operation ids, bindings, inventory and revisions over a SIGKILL (B1001 to B1005, B1007)', async () => {
    const flags = ['--provider=certify', '--use-fake-backend', '--seed-count=300', `--state=${join(directory, 'state.json')}`];
    const first = await boot(...flags);
    const [a, b, untouched] = (await first.rpc.list({ states: [1] })).machines.map((m) => m.id) as [string, string, string];
    const created = await first.rpc.create(a, ['durA', 3, 7]);
    await first.rpc.create(b, unfenced);
    await Promise.all([reaches(first.rpc, a, 'IDLE'), reaches(first.rpc, b, 'IDLE')]);
    const metadata = { 'd/k': 'v', 'd/k2': 'v2' };
    const configured = await first.rpc.configure(b, { cluster: 'durable-cluster', metadata }, unfenced);
    await reaches(first.rpc, b, 'CONFIGURED');
    const before = await first.rpc.list();
    await kill(first);

    const second = await boot(...flags);
    expect(await codeOf(second.rpc.create(a, ['durA', 3, 7]))).toBe('FAILED_PRECONDITION');
    expect((await second.rpc.configure(b, { cluster: 'durable-cluster', metadata }, unfenced)).operationId).toBe(configured.operationId);
    const kept = await second.rpc.get(b);
    expect([kept.cluster, Object.fromEntries(kept.shardMetadata)]).toEqual(['durable-cluster', metadata]);
    const after = await second.rpc.list();
    expect(after.machines.map((m) => [m.id, m.state])).toEqual(before.machines.map((m) => [m.id, m.state]));
    expect(after.machines.length).toBe(300);
    expect(after.revision.length).toBeGreaterThan(0);
    expect((await second.rpc.list({ sinceRevision: before.revision })).machines).toEqual([]);
    const fresh = await second.rpc.create(untouched, ['durB', 1, 1]);
    expect([created.operationId, configured.operationId]).not.toContain(fresh.operationId);
  });

  it('has 512 slots unless told otherwise, all to be created', async () => {
    const { rpc } = await boot('--provider=certify');
    expect((await rpc.list({ states: [1] })).machines.length).toBe(512);
  });

  it.each(['certify', 'fault', 'sim'])('%s speaks mTLS and serves metrics when told to', async (name) => {
    const authority = testAuthority();
    const own = authority.issue('bigfleet://readonly');
    const file = (called: string, text: string): string => {
      fs.writeFileSync(join(directory, called), text);
      return join(directory, called);
    };
    const metrics = await freePort();
    const { child, rpc } = await boot(`--provider=${name}`, '--seed-count=5', ...(name === 'sim' ? ['--i-know-this-is-simulated'] : []), `--metrics-addr=127.0.0.1:${metrics}`,
      `--tls-cert=${file('tls.crt', own.cert)}`, `--tls-key=${file('tls.key', own.key)}`, `--tls-ca=${file('ca.crt', authority.cert)}`);
    expect(await codeOf(rpc.list())).toBe('UNAVAILABLE'); // plaintext
    const reader = new Rpc(Number(rpc.peer.address.split(':')[1]), credentials.createSsl(Buffer.from(authority.cert), Buffer.from(own.key), Buffer.from(own.cert)));
    running.push({ child, rpc: reader });
    const { id } = (await reader.list({ maxResults: 1 })).machines[0]!;
    expect(await codeOf(reader.create(id))).toBe('PERMISSION_DENIED');
    expect(await (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text()).toContain('bigfleet_provider_identity_rejected_total{rpc="Create",reason="identity_mismatch"} 1');
  });

  it('takes an empty file for its state, and a suite’s second provider beside it (B1006)', async () => {
    const state = join(directory, 'state.json');
    fs.writeFileSync(state, '');
    await boot('--provider=certify', '--seed-count=256', `--state=${join(directory, 'other.json')}`);
    const flags = ['--provider', 'fault', '--timeout-ms=30000', '--state', state];
    const first = await boot(...flags);
    const { id } = (await first.rpc.list({ states: [1], maxResults: 1 })).machines[0]!;
    await first.rpc.create(id, unfenced);
    await reaches(first.rpc, id, 'IDLE');
    await first.rpc.configure(id, { cluster: 'fault-timeout' }, unfenced);
    await kill(first);
    const second = await boot(...flags);
    const machine = await second.rpc.get(id);
    expect([stateName(machine), machine.lastError]).toEqual(['FAILED', 'Configure was interrupted by a restart of the provider']);
  });

  it.each([
    ['a provider that does not exist', ['--provider=nobody'], /there are sim, /],
    ['a word too many', ['certify1'], /"certify1" is no provider/],
    ['a flag that the provider does not have', ['--provider=certify', '--frobnicate'], /--frobnicate/],
    ['a file of something else for its state', ['--provider=certify', `--state=${executable}`], /--state: .* is a file/],
  ])('refuses %s', async (_what, flags, words) => {
    const child = spawn(executable, flags, { stdio: ['ignore', 'inherit', 'pipe'] });
    let told = '';
    child.stderr.on('data', (chunk: Buffer) => void (told += chunk.toString()));
    const [code] = (await once(child, 'close')) as [number];
    expect([code, told]).toEqual([2, expect.stringMatching(words)]);
  });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
