import * as fs from 'node:fs';

const CHUNK_BYTES = 1 << 20;
const NEWLINE = 0x0a;

/** The complete lines of a file with the offset just behind each; bytes after the last newline are left out. */
export function* readLines(path: string): Iterable<{ line: string; end: number }> {
  const fd = fs.openSync(path, 'r');
  try {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    let rest: Buffer[] = [];
    let end = 0;
    for (;;) {
      const read = fs.readSync(fd, chunk, 0, CHUNK_BYTES, null);
      if (read === 0) return;
      let start = 0;
      for (let at = chunk.indexOf(NEWLINE); at >= 0 && at < read; at = chunk.indexOf(NEWLINE, start)) {
        rest.push(chunk.subarray(start, at));
        const bytes = rest.length === 1 ? rest[0]! : Buffer.concat(rest);
        end += bytes.length + 1;
        start = at + 1;
        yield { line: bytes.toString('utf8'), end };
        rest = [];
      }
      if (start < read) rest.push(Buffer.from(chunk.subarray(start, read)));
    }
  } finally {
    fs.closeSync(fd);
  }
}
