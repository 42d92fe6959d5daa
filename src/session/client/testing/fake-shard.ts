import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import { ShardService, type OperatorMessage, type ShardMessage } from '../../../api/gen/bigfleet/v1alpha1/shard.ts';

type Payload = NonNullable<OperatorMessage['payload']>;
type Case = Payload['$case'];

/** One session as the shard sees it. `wait` resolves with the next frame of a kind, also one that came before. */
export class FakeSession {
  readonly received: Payload[] = [];
  private readonly stream: ServerDuplexStream<OperatorMessage, ShardMessage>;
  private readonly taken = new Map<Case, number>();
  private waiters: (() => void)[] = [];
  readonly closed: Promise<void>;

  constructor(stream: ServerDuplexStream<OperatorMessage, ShardMessage>) {
    this.stream = stream;
    this.closed = new Promise((resolve) => {
      stream.on('cancelled', () => resolve());
      stream.on('end', () => resolve());
    });
    stream.on('error', () => {});
    stream.on('data', (message: OperatorMessage) => {
      if (message.payload) this.received.push(message.payload);
      for (const waiter of this.waiters.splice(0)) waiter();
    });
  }

  async wait<C extends Case>(kind: C): Promise<Extract<Payload, { $case: C }>['value']> {
    for (;;) {
      const skip = this.taken.get(kind) ?? 0;
      const found = this.received.filter((p) => p.$case === kind)[skip];
      if (found) {
        this.taken.set(kind, skip + 1);
        return found.value as never;
      }
      await new Promise<void>((resolve) => this.waiters.push(resolve));
    }
  }

  send(payload: NonNullable<ShardMessage['payload']>): void {
    this.stream.write({ payload });
  }

  ack(echo: 'hello' | 'rollup', shardEpoch = 1n, shardId = 'shard-0'): void {
    this.send({ $case: 'ack', value: { echo, coordinatorTerm: 0n, shardEpoch, shardId } });
  }

  /** Stops reading, so that the operator's writes meet flow control. */
  pause(): void {
    this.stream.pause();
  }

  resume(): void {
    this.stream.resume();
  }

  fail(code: number, details: string): void {
    this.stream.emit('error', { code, details });
  }

  end(): void {
    this.stream.end();
  }
}

/** A shard that does exactly what the test says, on a real loopback socket. */
export class FakeShard {
  address = '';
  private server = new Server({ 'grpc.max_receive_message_length': 256 * 1024 * 1024 });
  private readonly sessions: FakeSession[] = [];
  private waiters: ((session: FakeSession) => void)[] = [];

  async start(port = 0): Promise<void> {
    this.server.addService(ShardService, {
      session: (stream: ServerDuplexStream<OperatorMessage, ShardMessage>) => {
        const session = new FakeSession(stream);
        const waiter = this.waiters.shift();
        if (waiter) waiter(session);
        else this.sessions.push(session);
      },
    });
    const bound = await new Promise<number>((resolve, reject) =>
      this.server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, p) => (error ? reject(error) : resolve(p))),
    );
    this.address = `127.0.0.1:${bound}`;
  }

  nextSession(): Promise<FakeSession> {
    const ready = this.sessions.shift();
    return ready ? Promise.resolve(ready) : new Promise((resolve) => this.waiters.push(resolve));
  }

  stop(): void {
    this.server.forceShutdown();
  }
}
