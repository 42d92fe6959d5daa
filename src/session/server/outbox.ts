import type { ShardMessage } from '../../api/gen/bigfleet/v1alpha1/shard.ts';

/** The part of a gRPC stream that an outbox needs. */
export interface FrameSink {
  /** False = the stream is full: wait for `onDrain`. */
  write(frame: ShardMessage): boolean;
  onDrain(fn: () => void): void;
}

type Payload = NonNullable<ShardMessage['payload']>;

/**
 * Frames waiting for one operator, in order. A frame takes the place of an unsent one with the same key, so the queue is
 * bounded by the number of machines and rows, however long the operator does not read.
 */
export class Outbox {
  private readonly sink: FrameSink;
  private readonly frames = new Map<string, ShardMessage>();
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

  send(payload: Payload, key: string): void {
    if (this.closed) return;
    // A newer state goes to the end: it must not overtake frames that were queued before it.
    this.frames.delete(key);
    this.frames.set(key, { payload });
    this.flush();
  }

  /** What waits under the key, for news that adds to it instead of replacing it. */
  unsent(key: string): Payload | undefined {
    return this.frames.get(key)?.payload;
  }

  /** Takes back a frame that was not sent yet. */
  discard(key: string): void {
    this.frames.delete(key);
  }

  close(): void {
    this.closed = true;
    this.frames.clear();
  }

  private flush(): void {
    if (this.blocked) return;
    for (const [key, frame] of this.frames) {
      this.frames.delete(key);
      if (!this.sink.write(frame)) {
        this.blocked = true;
        return;
      }
    }
  }
}
