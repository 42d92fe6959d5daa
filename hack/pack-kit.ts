/**
 * Packs the provider kit as JavaScript and declarations, since Node strips no types under node_modules: builds it and puts its
 * package.json in the place of ours for as long as npm packs. `npm pack` by itself would run `prepack` and `postpack`, but not
 * here, where .npmrc keeps the scripts of packages from running.
 *   node hack/pack-kit.ts pack [flags of npm pack] | prepack | postpack
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import ts from 'typescript';

const ENTRY = 'provider/kit/index';
const OUT = 'dist';
/** Ours, while npm packs. */
const ASIDE = 'package.json.aside';

/** Compiles the kit, and all that it imports, into `root`/dist. Throws with the compiler's words. */
export function buildKit(root: string): void {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), (path) => ts.sys.readFile(path)) as { config: { compilerOptions: object } };
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root);
  rmSync(join(root, OUT), { recursive: true, force: true });
  const program = ts.createProgram([join(root, 'src', `${ENTRY}.ts`)], {
    ...options, noEmit: false, declaration: true, stripInternal: true, rewriteRelativeImportExtensions: true,
    rootDir: join(root, 'src'), outDir: join(root, OUT),
  });
  const problems = [...ts.getPreEmitDiagnostics(program), ...program.emit().diagnostics];
  const host = { getCanonicalFileName: (name: string) => name, getCurrentDirectory: () => root, getNewLine: () => '\n' };
  if (problems.length > 0) throw new Error(`the kit cannot be built:\n${ts.formatDiagnostics(problems, host)}`);
}

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly dependencies: Readonly<Record<string, string>>;
}

/** The package.json of what `buildKit` made: no scripts, no program, and of our dependencies only those that the kit imports. */
export function kitManifest({ name, version, license, dependencies }: Manifest, imported: ReadonlySet<string>): object {
  for (const of of imported) if (dependencies[of] === undefined) throw new Error(`the kit imports ${of}, which is not among our dependencies`);
  return {
    name, version, private: true, license, type: 'module', description: 'The provider kit of BigFleet: write a backend, serve machines.',
    exports: { './provider-kit': { types: `./${OUT}/${ENTRY}.d.ts`, default: `./${OUT}/${ENTRY}.js` }, './package.json': './package.json' },
    files: [OUT],
    engines: { node: '>=22.13' },
    dependencies: Object.fromEntries(Object.entries(dependencies).filter(([of]) => imported.has(of))),
  };
}

/** The packages that what lies in the folder imports, whether it runs or declares. */
export function packagesImported(dir: string): ReadonlySet<string> {
  const found = new Set<string>();
  for (const file of readdirSync(dir, { recursive: true, encoding: 'utf8' })) {
    if (!/\.(js|d\.ts)$/.test(file)) continue;
    for (const { fileName } of ts.preProcessFile(readFileSync(join(dir, file), 'utf8')).importedFiles) {
      if (fileName.startsWith('.') || isBuiltin(fileName)) continue;
      found.add(fileName.split('/').slice(0, fileName.startsWith('@') ? 2 : 1).join('/'));
    }
  }
  return found;
}

function putBack(root: string): void {
  if (existsSync(join(root, ASIDE))) renameSync(join(root, ASIDE), join(root, 'package.json'));
}

function prepack(root: string): void {
  putBack(root); // an earlier one may have been cut short
  buildKit(root);
  const ours = readFileSync(join(root, 'package.json'), 'utf8');
  const manifest = kitManifest(JSON.parse(ours) as Manifest, packagesImported(join(root, OUT)));
  writeFileSync(join(root, ASIDE), ours);
  writeFileSync(join(root, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
}

function pack(root: string, flags: readonly string[]): void {
  const npm = process.env['npm_execpath'];
  const [program, before] = npm?.endsWith('js') ? [process.execPath, [npm]] : ['npm', []];
  prepack(root);
  try {
    execFileSync(program, [...before, 'pack', '--ignore-scripts', ...flags], { cwd: root, stdio: 'inherit' });
  } finally {
    putBack(root);
  }
}

if (import.meta.main) {
  const root = join(import.meta.dirname, '..');
  const [when, ...flags] = process.argv.slice(2);
  if (when === 'pack') pack(root, flags);
  else if (when === 'prepack') prepack(root);
  else if (when === 'postpack') putBack(root);
  else {
    console.error('usage: node hack/pack-kit.ts pack [flags of npm pack] | prepack | postpack');
    process.exitCode = 2;
  }
}
