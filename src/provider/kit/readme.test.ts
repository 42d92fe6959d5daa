import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Rpc, stateName } from '../testing/rpc.ts';
import { serveShelf } from '../testing/shelf-provider.ts';

const read = (path: string): string => fs.readFileSync(new URL(path, import.meta.url), 'utf8');

it('the provider of the README is the one that is tested', () => {
  expect(read('../README.md')).toContain(read('../testing/shelf-provider.ts').replace('../kit/index.ts', './kit/index.ts'));
});

it('the provider of the README takes a machine through its life', async () => {
  const directory = fs.mkdtempSync(join(tmpdir(), 'shelf-'));
  const done: string[] = [];
  let next = (): void => {};
  const did = (what: string) => (name: string, argument?: unknown): Promise<void> => {
    done.push(`${what} ${name}${argument instanceof Uint8Array ? ` ${Buffer.from(argument)}` : ''}`);
    setImmediate(next); // after the kit has recorded it
    return Promise.resolve();
  };
  const provider = await serveShelf(
    { hosts: () => Promise.resolve([{ name: 'h1', cores: 8, memoryGi: 32, room: 'attic' }]), powerOn: did('on'), runUserData: did('run'), wipe: did('wipe') },
    directory,
  );
  const rpc = new Rpc(provider.port);
  const settled = (call: Promise<unknown>): Promise<unknown> => Promise.all([call, new Promise<void>((resolve) => (next = resolve))]);
  await settled(rpc.create('h1'));
  expect(stateName(await rpc.get('h1'))).toBe('IDLE');
  await settled(rpc.configure('h1', { blob: Buffer.from('join me') }));
  expect(stateName(await rpc.get('h1'))).toBe('CONFIGURED');
  await settled(rpc.drain('h1', 30));
  expect(stateName(await rpc.get('h1'))).toBe('IDLE');
  expect(done).toEqual(['on h1', 'run h1 join me', 'wipe h1']);
  rpc.close();
  await provider.close();
  fs.rmSync(directory, { recursive: true });
});
