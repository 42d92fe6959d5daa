import type { KubeObject } from '../types.ts';
import type { StatusBody } from '../client/api-error.ts';

const NEWLINE = 0x0a;
const MAX_LINE_BYTES = 64 * 1024 * 1024;

export type WatchEvent =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'; readonly object: KubeObject }
  | { readonly type: 'ERROR'; readonly object: StatusBody };

const TYPES: ReadonlySet<string> = new Set<WatchEvent['type']>(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR']);

/** The stream does not hold what a watch should: broken or truncated JSON, or an endless line. */
export class WatchDecodeError extends Error {
  override readonly name = 'WatchDecodeError';
}

/**
 * Turns chunks of bytes into watch events, one per line. Chunks may end anywhere, inside a character too: lines are
 * cut as bytes (a newline byte is never part of another character) and become text only when whole.
 */
export interface WatchDecoder {
  /** The events completed by this chunk; lazy, so that the caller may pause between two of them. */
  feed(chunk: Uint8Array): Iterable<WatchEvent>;
  /** Throws if the stream ended inside a line. */
  end(): void;
}

export function createWatchDecoder(maxLineBytes = MAX_LINE_BYTES): WatchDecoder {
  // Pieces of an unfinished line, joined once: appending to a buffer per chunk would be quadratic in the line.
  let pieces: Uint8Array[] = [];
  let pieceBytes = 0;

  const takeLine = (tail: Buffer): string => {
    if (pieces.length === 0) return tail.toString('utf8');
    pieces.push(tail);
    const line = Buffer.concat(pieces).toString('utf8');
    pieces = [];
    pieceBytes = 0;
    return line;
  };

  return {
    *feed(chunk) {
      const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      let start = 0;
      for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
        const line = takeLine(bytes.subarray(start, end));
        start = end + 1;
        if (line.length > 1) yield parseEvent(line);
      }
      if (start === bytes.length) return;
      pieces.push(bytes.subarray(start));
      pieceBytes += bytes.length - start;
      if (pieceBytes > maxLineBytes) throw new WatchDecodeError(`a watch event is longer than ${maxLineBytes} bytes`);
    },
    end() {
      const rest = takeLine(Buffer.alloc(0)).trim();
      if (rest !== '') throw new WatchDecodeError(`the watch ended inside an event: ${rest.slice(0, 120)}`);
    },
  };
}

function parseEvent(line: string): WatchEvent {
  let event: WatchEvent;
  try {
    event = JSON.parse(line) as WatchEvent;
  } catch (cause) {
    throw new WatchDecodeError(`a watch event is not JSON: ${line.slice(0, 120)}`, { cause });
  }
  const object: unknown = event?.type === 'ERROR' ? event.object : event?.object?.metadata;
  if (typeof object !== 'object' || object === null) throw new WatchDecodeError(`a watch event has no object metadata: ${line.slice(0, 120)}`);
  if (!TYPES.has(event.type)) throw new WatchDecodeError(`a watch event is of an unknown type: ${event.type}`);
  return event;
}
