import { appendFileSync, renameSync, writeFileSync } from 'node:fs';
import { durableCalls } from './epoch.ts';
import type { DurableCalls } from './epoch.ts';

/** All writes of a shard to its disk. What has returned outlasts the process. */
export interface ShardDisk extends DurableCalls {
  readonly append: (file: string, text: string) => void;
  /** The file is the old one or the new one, whenever the process ends. */
  readonly replace: (file: string, text: string) => void;
}

export const realDisk: ShardDisk = {
  ...durableCalls,
  append: appendFileSync,
  replace(file, text) {
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
  },
};
