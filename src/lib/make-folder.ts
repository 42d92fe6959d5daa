import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/**
 * Makes a folder and those above it. Unlike mkdir's own recursive mode it cannot spin where a file system refuses new
 * folders although it says that they are missing. Throws an error that names the folder.
 */
export function makeFolder(path: string): void {
  const folder = resolve(path);
  if (existsSync(folder)) {
    if (statSync(folder).isDirectory()) return;
    throw new Error(`${folder} is not a folder`);
  }
  const parent = dirname(folder);
  if (parent !== folder) makeFolder(parent);
  try {
    mkdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return;
    throw new Error(`cannot make the folder ${folder}: ${(error as Error).message}`, { cause: error });
  }
}
