import * as fs from 'node:fs';
import mutable from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { basename } from 'node:path';

type Patched = Pick<typeof fs, 'fdatasync' | 'fdatasyncSync' | 'fsyncSync' | 'renameSync' | 'rmSync'>;

/**
 * Writes down in which order things get onto the disk, while it is in scope: `sync NAME SIZE` (with the size that is
 * certain to be there afterwards), `rename NAME`, `remove NAME`, `sync directory`. What `before` throws, the call throws.
 */
export class DiskRecorder implements Disposable {
  readonly events: string[] = [];
  private readonly original: Patched;

  constructor(directory: string, before: (event: string) => void = () => {}) {
    const original = (this.original = patchedOf(mutable));
    const tell = (event: string): void => {
      before(event);
      this.events.push(event);
    };
    // Found by what they are: files that were opened before this began are recorded as well.
    const fileOf = (fd: number): string => {
      const { ino, size } = fs.fstatSync(fd);
      if (ino === fs.statSync(directory).ino) return 'directory';
      const name = fs.readdirSync(directory).find((one) => fs.statSync(`${directory}/${one}`).ino === ino);
      return `${name ?? 'a removed file'} ${size}`;
    };
    mutable.fdatasync = ((fd: number, done: fs.NoParamCallback) => {
      tell(`sync ${fileOf(fd)}`);
      original.fdatasync(fd, done);
    }) as typeof fs.fdatasync;
    mutable.fdatasyncSync = (fd) => {
      tell(`sync ${fileOf(fd)}`);
      original.fdatasyncSync(fd);
    };
    mutable.fsyncSync = (fd) => {
      tell(`sync ${fileOf(fd)}`);
      original.fsyncSync(fd);
    };
    mutable.renameSync = (from, to) => {
      tell(`rename ${basename(String(to))}`);
      original.renameSync(from, to);
    };
    mutable.rmSync = (path, options) => {
      if (fs.existsSync(path)) tell(`remove ${basename(String(path))}`);
      original.rmSync(path, options);
    };
    syncBuiltinESMExports();
  }

  [Symbol.dispose](): void {
    Object.assign(mutable, this.original);
    syncBuiltinESMExports();
  }
}

function patchedOf({ fdatasync, fdatasyncSync, fsyncSync, renameSync, rmSync }: Patched): Patched {
  return { fdatasync, fdatasyncSync, fsyncSync, renameSync, rmSync };
}
