import type { ShardMessage } from '../../api/gen/bigfleet/v1alpha1/shard.ts';

/** The part of a gRPC stream that an outbox needs. */
export interface FrameSink {
  /** False = the stream is full: wait for `onDrain`. */
  write(frame: ShardMessage): boolean;
  onDrain(fn: () => void): void;
}

/**
 * Frames waiting for one operator, in order. A frame with a key takes the place of an unsent one with the same key, so
 * the queue is bounded by the number of machines and rows, however long the operator does not read.
 */
export class Outbox {
  private readonly sink: FrameSink;
  private readonly frames = new Map<string, ShardMessage>();
  private serial = 0;
  private blocked = false;
  private closed = false;

  constructor(sink: FrameSink) {
    this.sink = sink;
    sink.onDrain(() => {
      this.blocked = false;
      this.flush();
    });
  }

  get length(): number {
    return this.frames.size;
  }

  send(payload: NonNullable<ShardMessage['payload']>, key?: string): void {
    if (this.closed) return;
    const slot = key ?? `#${this.serial++}`;
    // A newer state goes to the end: it must not overtake frames that were queued before it.
    this.frames.delete(slot);
    this.frames.set(slot, { payload });
    this.flush();
  }

  close(): void {
    this.closed = true;
    this.frames.clear();
  }

  private flush(): void {
    if (this.blocked) return;
    for (const [slot, frame] of this.frames) {
      this.frames.delete(slot);
      if (!this.sink.write(frame)) {
        this.blocked = true;
        return;
      }
    }
  }
}
