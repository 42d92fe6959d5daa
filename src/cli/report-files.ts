import { mkdir, open, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { UsageError } from '../lib/usage-error.ts';

/** Where a report goes, and the flag that says so. */
export interface ReportFile {
  readonly flag: string;
  readonly path: string;
}

/** Before work that takes minutes: whether these files can be written. Makes their folders. Throws a UsageError that names the flag. */
export async function checkWritable(files: readonly ReportFile[]): Promise<void> {
  for (const file of files) {
    await attempt(file, async () => {
      await makeFolder(dirname(file.path));
      const before = await stat(file.path).catch(() => undefined);
      if (before && !before.isFile() && !before.isDirectory()) return; // a pipe would wait for its reader
      await (await open(file.path, 'a')).close();
      if (!before) await rm(file.path);
    });
  }
}

/** Throws a UsageError that names the flag. */
export async function writeReport(file: ReportFile, text: string): Promise<void> {
  await attempt(file, () => writeFile(file.path, text));
}

async function attempt({ flag, path }: ReportFile, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw new UsageError(`${flag}: cannot write ${path}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`, { cause: error });
  }
}

/** Not `recursive`: under /proc that never ends, since a folder that cannot be made there is one that does not exist. */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return;
    if (code !== 'ENOENT' || dirname(path) === path) throw error;
    await makeFolder(dirname(path));
    await mkdir(path);
  }
}
