import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Rpc, stateName } from '../src/provider/testing/rpc.ts';
import { kitManifest, packagesImported } from './pack-kit.ts';

const root = join(import.meta.dirname, '..');
let dir: string;
let ours: string;
let author: string;

/** Packs a copy of the checkout, so that ours is left alone, and unpacks it as npm would, beside the packages that it asks for. */
beforeAll(() => {
  dir = fs.mkdtempSync(join(tmpdir(), 'pack-kit-'));
  ours = join(dir, 'checkout');
  author = join(dir, 'author');
  fs.mkdirSync(ours);
  for (const name of ['package.json', 'package-lock.json', '.npmrc', 'tsconfig.json', 'LICENSE', 'README.md', 'src', 'hack']) fs.cpSync(join(root, name), join(ours, name), { recursive: true });
  fs.symlinkSync(fs.realpathSync(join(root, 'node_modules')), join(ours, 'node_modules'));
  fs.writeFileSync(join(ours, 'package.json.aside'), fs.readFileSync(join(ours, 'package.json'))); // an earlier one was cut short
  // An npm that runs these tests tells its children which package is meant: ours.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.toLowerCase().startsWith('npm_')));
  const [{ filename }] = JSON.parse(execFileSync('npm', ['run', '--silent', 'pack-kit', '--', '--json', '--silent'], { cwd: ours, encoding: 'utf8', env })) as [{ filename: string }];
  const installed = join(author, 'node_modules', 'bigfleet');
  fs.mkdirSync(installed, { recursive: true });
  execFileSync('tar', ['-xzf', join(ours, filename), '-C', installed, '--strip-components', '1']);
  for (const name of fs.readdirSync(join(root, 'node_modules')).filter((one) => one !== 'bigfleet' && !one.startsWith('.'))) fs.symlinkSync(join(fs.realpathSync(join(root, 'node_modules')), name), join(author, 'node_modules', name));
  fs.writeFileSync(join(author, 'package.json'), '{"type":"module"}');
}, 120_000);
afterAll(() => fs.rmSync(dir, { recursive: true, force: true }));

const provider = `
import { OutOfStockError, memoryStore, serveProvider } from 'bigfleet/provider-kit';

const slot = (id) => ({
  id, instanceType: 'nuc', zone: 'attic', capacityType: 'OnDemand', pricePerHour: 0.1, interruptionProbability: 0,
  resources: { cpu: '8' }, labels: {}, state: 'Speculative',
});
const provider = await serveProvider({
  describe: async () => [slot('one'), slot('two')],
  createInstance: async ({ machine }) => {
    if (machine.id === 'two') throw new OutOfStockError('the shelf is empty');
    return { host: { provider: 'attic', ref: 'attic:///' + machine.id } };
  },
  configureInstance: async () => {},
  drainInstance: async () => {},
}, { address: '127.0.0.1:0', store: memoryStore() });
console.log(provider.port);
process.once('SIGTERM', () => provider.close());
`;

it('what is installed from the package serves a provider in plain JavaScript', async () => {
  fs.writeFileSync(join(author, 'provider.js'), provider);
  const child = spawn(process.execPath, ['provider.js'], { cwd: author, stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, NODE_OPTIONS: '' } });
  try {
    const rpc = new Rpc(Number((await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next()).value));
    await rpc.create('one');
    await rpc.create('two');
    const until = async (id: string): Promise<string> => {
      for (;;) {
        const machine = await rpc.get(id);
        if (stateName(machine) !== 'CREATING') return `${stateName(machine)} ${machine.lastError}`;
      }
    };
    expect([await until('one'), await until('two')]).toEqual(['IDLE ', 'FAILED Create failed: [OutOfStock] the shelf is empty']);
    rpc.close();
    child.kill('SIGTERM');
    expect((await once(child, 'exit'))[0]).toBe(0);
  } finally {
    child.kill('SIGKILL');
  }
});

it('its declarations are those of the kit', { timeout: 120_000 }, () => {
  fs.writeFileSync(join(author, 'provider.ts'), `
import { serveProvider, type ProviderBackend } from 'bigfleet/provider-kit';
export const backend: Partial<ProviderBackend> = { createInstance: async () => ({ host: { provider: 'attic', ref: 'attic:///one' } }) };
// @ts-expect-error a number is no list of machines
export const wrong: Partial<ProviderBackend> = { describe: async () => 5 };
export const serve = serveProvider;
`);
  fs.writeFileSync(join(author, 'tsconfig.json'), '{"compilerOptions":{"module":"nodenext","target":"es2024","strict":true,"noEmit":true,"skipLibCheck":true,"types":[]},"files":["provider.ts"]}');
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  expect(() => execFileSync(process.execPath, [tsc, '-p', author], { encoding: 'utf8' })).not.toThrow();
});

it('asks for nothing but what the kit imports, and leaves the checkout as it was', () => {
  const packed = JSON.parse(fs.readFileSync(join(author, 'node_modules', 'bigfleet', 'package.json'), 'utf8')) as { dependencies: Record<string, string>; version: string };
  expect(Object.keys(packed.dependencies)).toEqual(['@bufbuild/protobuf', '@grpc/grpc-js', 'prom-client']);
  expect([...packagesImported(join(author, 'node_modules', 'bigfleet', 'dist'))].sort()).toEqual(Object.keys(packed.dependencies));
  for (const absent of ['scripts', 'optionalDependencies', 'bin', 'devDependencies']) expect(packed).not.toHaveProperty(absent);
  expect(fs.readFileSync(join(ours, 'package.json'), 'utf8')).toBe(fs.readFileSync(join(root, 'package.json'), 'utf8'));
  expect(fs.existsSync(join(ours, 'package.json.aside'))).toBe(false);
});

it('a package that nobody installs is named', () => {
  expect(() => kitManifest({ name: 'n', version: '1', license: 'l', dependencies: {} }, new Set(['left-pad']))).toThrow('the kit imports left-pad, which is not among our dependencies');
});
