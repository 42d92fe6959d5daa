import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { memoryStore, serveProvider, type ProviderBackend } from 'bigfleet/provider-kit';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Rpc, stateName } from '../testing/rpc.ts';
import * as kit from './index.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
let directory: string;
beforeEach(() => void (directory = fs.mkdtempSync(join(tmpdir(), 'provider-author-'))));
afterEach(() => fs.rmSync(directory, { recursive: true }));

/** What an author writes, in a package of their own. */
const author = `
import { memoryStore, serveProvider, type ProviderBackend } from 'bigfleet/provider-kit';

const backend: ProviderBackend = {
  describe: async () => [{
    id: 'host-1', instanceType: 'nuc', zone: 'attic', capacityType: 'BareMetal', pricePerHour: 0, interruptionProbability: 0,
    resources: { cpu: '8' }, labels: {}, state: 'Idle', host: { provider: 'attic', ref: 'attic:///host-1' },
  }],
  createInstance: () => Promise.reject(new Error('hosts are bought in a shop')),
  configureInstance: async ({ bootstrapBlob }) => console.log(new TextDecoder().decode(bootstrapBlob)),
  drainInstance: async () => {},
};
const provider = await serveProvider(backend, { address: '127.0.0.1:0', store: memoryStore() });
console.log(provider.port);
process.once('SIGTERM', () => provider.close());
`;

it('a package that depends on us runs a provider by the name bigfleet/provider-kit', async () => {
  fs.mkdirSync(join(directory, 'node_modules'));
  fs.symlinkSync(root, join(directory, 'node_modules', 'bigfleet')); // as npm install ../bigfleet does
  fs.writeFileSync(join(directory, 'package.json'), '{"type":"module"}');
  fs.writeFileSync(join(directory, 'provider.ts'), author);
  const child = spawn(process.execPath, ['provider.ts'], { cwd: directory, stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, NODE_OPTIONS: '' } });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  try {
    const rpc = new Rpc(Number((await lines.next()).value));
    expect(stateName(await rpc.get('host-1'))).toBe('IDLE');
    await rpc.configure('host-1', { blob: Buffer.from('join') });
    expect((await lines.next()).value).toBe('join');
    rpc.close();
    child.kill('SIGTERM');
    expect((await once(child, 'exit'))[0]).toBe(0);
  } finally {
    child.kill('SIGKILL');
  }
});

it('the name leads to the kit itself, and to nothing else of ours', async () => {
  expect(serveProvider).toBe(kit.serveProvider);
  expect(memoryStore).toBe(kit.memoryStore);
  const backend: ProviderBackend | undefined = undefined;
  expect(backend).toBeUndefined();
  const inner = 'bigfleet/src/provider/kit/fences.ts';
  await expect(import(/* @vite-ignore */ inner)).rejects.toThrow();
});
