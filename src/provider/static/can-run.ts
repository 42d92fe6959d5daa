import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, resolve } from 'node:path';

/** Tells why a program cannot be started from `directory`, with the fix; undefined when it can. Remembers its answers. */
export function canRun(directory: string): (program: string) => string | undefined {
  const answers = new Map<string, string | undefined>();
  return (program) => {
    if (!answers.has(program)) answers.set(program, obstacleOf(program, directory));
    return answers.get(program);
  };
}

function obstacleOf(program: string, directory: string): string | undefined {
  if (!program.includes('/')) {
    const folders = (process.env['PATH'] ?? '').split(delimiter);
    if (folders.some((folder) => isExecutable(resolve(folder, program)) === 'yes')) return undefined;
    return `there is no program ${program} on the PATH; install it, or write ./${program} for a script beside this file`;
  }
  const path = resolve(directory, program);
  const found = isExecutable(path);
  if (found === 'yes') return undefined;
  return found === 'no file' ? `there is no file ${path}` : `${path} is not executable; chmod +x it`;
}

function isExecutable(path: string): 'yes' | 'no file' | 'no' {
  try {
    if (!statSync(path).isFile()) return 'no file';
  } catch {
    return 'no file';
  }
  try {
    accessSync(path, constants.X_OK);
    return 'yes';
  } catch {
    return 'no';
  }
}
