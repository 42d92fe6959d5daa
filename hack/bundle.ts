/**
 * Puts together what runs: the sources without tests, the contracts that they read, and the packages that they need, with
 * nothing installed or compiled. The image is made of this folder, and the e2e promises of the installation run from it.
 *   node hack/bundle.ts DIR
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');

export interface Bundle {
  /** The program: `node <main> shard …`. */
  readonly main: string;
  readonly files: number;
  readonly bytes: number;
}

/** Replaces `dir`. Throws when a package is not installed. */
export function makeBundle(dir: string): Bundle {
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  cpSync(join(root, 'src'), join(dir, 'src'), { recursive: true, filter: (path) => !/\.test\.ts$|\/testing$/.test(path) });
  cpSync(join(root, 'config', 'crd'), join(dir, 'config', 'crd'), { recursive: true });
  cpSync(join(root, 'LICENSE'), join(dir, 'LICENSE'));
  for (const path of runtimePackages(JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as Lock)) {
    // Packages within a package have entries of their own.
    cpSync(join(root, path), join(dir, path), { recursive: true, dereference: true, filter: (from) => from === join(root, path) || !from.endsWith('/node_modules') });
  }
  const { name, version, license, type } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<string, string>;
  writeFileSync(join(dir, 'package.json'), `${JSON.stringify({ name, version, license, type, private: true }, undefined, 2)}\n`);
  const files = readdirSync(dir, { recursive: true, encoding: 'utf8' }).map((file) => statSync(join(dir, file))).filter((file) => file.isFile());
  return { main: join(dir, 'src', 'main.ts'), files: files.length, bytes: files.reduce((sum, { size }) => sum + size, 0) };
}

export interface Lock {
  readonly packages: Readonly<Record<string, { readonly dev?: boolean; readonly optional?: boolean; readonly devOptional?: boolean }>>;
}

/** Paths of the packages that the program itself needs: not those of development, nor the Node that the project brings along. */
export function runtimePackages({ packages }: Lock): string[] {
  return Object.entries(packages).filter(([path, { dev, optional, devOptional }]) => path !== '' && !dev && !optional && !devOptional).map(([path]) => path);
}

if (import.meta.main) {
  const [dir] = process.argv.slice(2);
  if (dir === undefined) {
    console.error('usage: node hack/bundle.ts DIR');
    process.exitCode = 2;
  } else {
    const { files, bytes } = makeBundle(dir);
    console.error(`${dir}: ${files} files, ${(bytes / 2 ** 20).toFixed(1)} MiB`);
  }
}
