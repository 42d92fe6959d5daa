import { credentials, type ChannelCredentials, type ClientDuplexStream } from '@grpc/grpc-js';
import type { ClusterCapacityNeeds } from '../../../api/gen/bigfleet/v1alpha1/capacity.ts';
import { ShardClient, type OperatorMessage, type ShardMessage } from '../../../api/gen/bigfleet/v1alpha1/shard.ts';

type Payload = NonNullable<ShardMessage['payload']>;
type Case = Payload['$case'];
type Value<C extends Case> = Extract<Payload, { $case: C }>['value'];

/** An operator's end of one stream, which says exactly what the test says, over a real socket. */
export class FakeOperator {
  readonly received: Payload[] = [];
  /** How the shard ended the stream. */
  readonly ended: Promise<{ code: number; details: string }>;
  private readonly client: ShardClient;
  private readonly stream: ClientDuplexStream<OperatorMessage, ShardMessage>;
  private readonly taken = new Map<Case, number>();
  private waiters: (() => void)[] = [];

  constructor(address: string, given: ChannelCredentials = credentials.createInsecure()) {
    const limit = 256 * 1024 * 1024;
    this.client = new ShardClient(address, given, {
      'grpc.max_receive_message_length': limit, 'grpc.max_send_message_length': limit, 'grpc.use_local_subchannel_pool': 1,
    });
    this.stream = this.client.session();
    this.stream.on('error', () => undefined);
    this.stream.on('data', (message: ShardMessage) => {
      if (message.payload) this.received.push(message.payload);
      for (const waiter of this.waiters.splice(0)) waiter();
    });
    this.ended = new Promise((resolve) => this.stream.on('status', ({ code, details }) => resolve({ code, details })));
  }

  send(payload: NonNullable<OperatorMessage['payload']>): void {
    this.stream.write({ payload });
  }

  /** A frame whose payload this shard does not know. */
  sendEmpty(): void {
    this.stream.write({ payload: undefined });
  }

  hello(clusterId = 'east', additions = true): void {
    this.send({ $case: 'hello', value: { clusterId, protocolVersion: 'v1alpha1', additions } });
  }

  rollup(fields: Partial<ClusterCapacityNeeds> = {}): void {
    this.send({ $case: 'rollup', value: { clusterId: 'east', timestampUnixNanos: 1n, needs: [], nodeHints: undefined, ...fields } });
  }

  answer(requestId: string, fields: { userData?: Uint8Array; error?: string } = {}): void {
    this.send({ $case: 'bootstrapResponse', value: { requestId, userData: new Uint8Array(), ttlSeconds: 0n, error: '', ...fields } });
  }

  /** The next frame of a kind, also one that came before. */
  async wait<C extends Case>(kind: C): Promise<Value<C>> {
    for (;;) {
      const skip = this.taken.get(kind) ?? 0;
      const found = this.received.filter((p) => p.$case === kind)[skip];
      if (found) {
        this.taken.set(kind, skip + 1);
        return found.value as Value<C>;
      }
      await new Promise<void>((resolve) => this.waiters.push(resolve));
    }
  }

  async ack(echo: 'hello' | 'rollup'): Promise<void> {
    while ((await this.wait('ack')).echo !== echo);
  }

  /** Frames so far, in one word each. */
  kinds(): string[] {
    return this.received.map((p) => (p.$case === 'ack' ? `ack ${p.value.echo}` : p.$case === 'nodeStateUpdate' ? `node ${p.value.machineId}` : p.$case));
  }

  /** Stops reading, so that the shard's writes meet flow control. */
  pause(): void {
    this.stream.pause();
  }

  resume(): void {
    this.stream.resume();
  }

  /** Ends the call in order. */
  end(): void {
    this.stream.end();
  }

  /** Drops the connection. */
  close(): void {
    this.stream.cancel();
    this.client.close();
  }
}
