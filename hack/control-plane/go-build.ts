import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { constants, setPriority } from 'node:os';
import { basename, dirname, join } from 'node:path';

export type Log = (line: string) => void;

const PROGRESS_MS = 5_000;
const PARTIAL_PREFIX = '.partial-';
/** A partial folder this old belongs to a build that was killed: no build takes nearly as long. */
const STALE_PARTIAL_MS = 3_600_000;
const KEPT_ERROR_LINES = 30;

/** True when a Go toolchain answers on the PATH. */
export function hasGo(): boolean {
  return spawnSync('go', ['version'], { stdio: 'ignore' }).status === 0;
}

/** The environment of every go command: a static binary for this machine, untouched by the caller's settings. */
function goEnv(): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env, CGO_ENABLED: '0', GOWORK: 'off', GOFLAGS: '-buildvcs=false' };
  delete env['GOOS'];
  delete env['GOARCH'];
  return env;
}

/** Runs a go command in a folder and returns its standard output. Throws what it wrote to standard error. */
export function go(folder: string, args: readonly string[]): string {
  const ran = spawnSync('go', args, { cwd: folder, env: goEnv(), encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  if (ran.status !== 0) throw new Error(`go ${args.join(' ')} in ${folder} failed:\n${ran.stderr}${ran.stdout}`);
  return ran.stdout;
}

/** Folder of a module in Go's module cache; fetched first when it is not there. */
export function moduleSourceDir(folder: string, module: string): string {
  // `go mod download` needs no packages loaded, so it is quick, and it prints the folder of what it made sure of.
  const printed = go(folder, ['mod', 'download', '-json', module]);
  const answer: unknown = JSON.parse(printed);
  if (typeof answer === 'object' && answer !== null && 'Dir' in answer && typeof answer.Dir === 'string') return answer.Dir;
  throw new Error(`go mod download ${module} in ${folder} named no folder: ${printed}`);
}

export interface GoBuild {
  /** Folder of the module to build in. */
  readonly folder: string;
  readonly package: string;
  readonly ldflags: readonly string[];
  /** Path the finished binary gets. */
  readonly output: string;
}

/**
 * Builds one Go program. The output path appears only when the build has succeeded (written aside, then renamed),
 * so a killed build leaves nothing half-made. Logs a line every few seconds. Rejects with the compiler's last lines.
 */
export async function goBuild(build: GoBuild, log: Log): Promise<void> {
  const cache = dirname(build.output);
  const name = basename(build.output);
  await removeStalePartials(cache);
  const partial = await mkdtemp(join(cache, PARTIAL_PREFIX));
  try {
    const started = performance.now();
    const seconds = (): string => `${Math.round((performance.now() - started) / 1_000)} s`;
    log(`building ${name}`);
    await runGo(build, join(partial, name), (packages) => {
      log(`building ${name}: ${seconds()}, ${packages} packages compiled`);
    });
    await rename(join(partial, name), build.output);
    log(`built ${name} in ${seconds()}`);
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

function runGo(build: GoBuild, output: string, progress: (packages: number) => void): Promise<void> {
  // -v names each package as it is compiled, which is the only progress `go build` can show.
  const args = ['build', '-v', '-mod=readonly', '-trimpath', '-ldflags', build.ldflags.join(' '), '-o', output, build.package];
  return new Promise((resolve, reject) => {
    const child = spawn('go', args, { cwd: build.folder, env: goEnv(), stdio: ['ignore', 'ignore', 'pipe'] });
    if (child.pid !== undefined) yieldCpu(child.pid);
    let packages = 0;
    let tail: string[] = [];
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      const lines = text.split('\n').filter((line) => line !== '');
      packages += lines.length;
      tail = [...tail, ...lines].slice(-KEPT_ERROR_LINES);
    });
    const timer = setInterval(() => progress(packages), PROGRESS_MS);
    child.on('error', (error) => {
      clearInterval(timer);
      reject(error);
    });
    child.on('close', (code, signal) => {
      clearInterval(timer);
      if (code === 0) resolve();
      else reject(new Error(`go build ${build.package} ended with ${signal ?? code}:\n${tail.join('\n')}`));
    });
  });
}

/** The compilers started later inherit it: a build of minutes must leave the machine usable. */
function yieldCpu(pid: number): void {
  try {
    setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // Priority is a courtesy: the process may be gone already, or the system may not allow it.
  }
}

async function removeStalePartials(cache: string): Promise<void> {
  for (const name of await readdir(cache)) {
    if (!name.startsWith(PARTIAL_PREFIX)) continue;
    const path = join(cache, name);
    const info = await stat(path).catch(() => undefined); // another build may have removed its own
    if (info && Date.now() - info.mtimeMs > STALE_PARTIAL_MS) await rm(path, { recursive: true, force: true });
  }
}
