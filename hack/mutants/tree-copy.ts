import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** One text in one file, which is there exactly once, and what stands there instead. */
export interface Change {
  /** From the root of the copy. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** A copy of the sources in which one thing at a time is broken; gone with the process. */
export class TreeCopy {
  readonly root: string;

  constructor(from: string, names: readonly string[]) {
    this.root = mkdtempSync(join(tmpdir(), 'bigfleet-mutants-'));
    process.on('exit', () => rmSync(this.root, { recursive: true, force: true }));
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));
    for (const name of names) cpSync(join(from, name), join(this.root, name), { recursive: true });
    symlinkSync(join(from, 'node_modules'), join(this.root, 'node_modules'));
  }

  /** Runs `look` with the change made; undone afterwards. `broken`: the change does not fit the file any more. */
  async changed<T>({ file, find, replace }: Change, look: () => Promise<T>): Promise<T | { readonly broken: string }> {
    const path = join(this.root, file);
    const source = readFileSync(path, 'utf8');
    const found = source.split(find).length - 1;
    if (found !== 1) return { broken: `${file} has its text ${found} times` };
    writeFileSync(path, source.replace(find, () => replace));
    try {
      return await look();
    } finally {
      writeFileSync(path, source);
    }
  }
}
