import { Client, credentials, Server, ServerCredentials } from '@grpc/grpc-js';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import { OperatorMessage, ShardMessage, ShardService } from '../../src/api/gen/bigfleet/v1alpha1/shard.ts';

const bytes = { serialize: (value: Buffer): Buffer => value, deserialize: (value: Buffer): Buffer => value };
const { path } = ShardService.session;

/** What a relay makes of the frames of a session, in each direction. */
export interface Skew {
  readonly up: (frame: Buffer) => Buffer;
  readonly down: (frame: Buffer) => readonly Buffer[];
}

/**
 * Each side talks to a release that knows none of the additions: the operator does not say that it understands them and sends
 * no hints, so the shard sends none either.
 */
export const withoutAdditions: Skew = {
  up: (frame) => {
    const { payload } = OperatorMessage.decode(frame);
    if (payload?.$case === 'hello') return Buffer.from(OperatorMessage.encode({ payload: { $case: 'hello', value: { ...payload.value, additions: false } } }).finish());
    if (payload?.$case === 'rollup') return Buffer.from(OperatorMessage.encode({ payload: { $case: 'rollup', value: { ...payload.value, nodeHints: undefined } } }).finish());
    return frame;
  },
  down: (frame) => [frame],
};

/** Field 1999, a text: what a later release might have added to every message. */
const LATER_FIELD = Buffer.concat([varint((1999 << 3) | 2), varint(5), Buffer.from('later')]);

/** Each side talks to a later release: every frame has a field that it does not know, and the protocol has another name. */
export const withLaterFields: Skew = {
  up: (frame) => {
    const { payload } = OperatorMessage.decode(frame);
    if (payload?.$case !== 'hello') return Buffer.concat([frame, LATER_FIELD]);
    return Buffer.concat([OperatorMessage.encode({ payload: { $case: 'hello', value: { ...payload.value, protocolVersion: 'v1alpha2' } } }).finish(), LATER_FIELD]);
  },
  // And after each a frame of a kind that there is not yet.
  down: (frame) => [Buffer.concat([frame, LATER_FIELD]), LATER_FIELD],
};

function varint(value: number): Buffer {
  const out: number[] = [];
  for (let left = value; ; left >>>= 7) {
    if (left < 0x80) return Buffer.from([...out, left]);
    out.push((left & 0x7f) | 0x80);
  }
}

/** Stands between operators and a shard and makes one of them look like another release to the other. */
export class SkewRelay {
  readonly address: string;
  /** Frames passed on, by the kind of their payload. */
  readonly passed: ReadonlyMap<string, number>;
  private readonly server: Server;
  private readonly client: Client;

  private constructor(server: Server, client: Client, port: number, passed: ReadonlyMap<string, number>) {
    this.passed = passed;
    this.server = server;
    this.client = client;
    this.address = `127.0.0.1:${port}`;
  }

  static async start(shard: string, skew: Skew): Promise<SkewRelay> {
    const client = new Client(shard, credentials.createInsecure());
    const server = new Server();
    const method = { path, requestStream: true, responseStream: true, requestSerialize: bytes.serialize, requestDeserialize: bytes.deserialize, responseSerialize: bytes.serialize, responseDeserialize: bytes.deserialize };
    const passed = new Map<string, number>();
    const note = (kind = 'unknown'): void => void passed.set(kind, (passed.get(kind) ?? 0) + 1);
    server.addService({ session: method }, {
      session: (caller: ServerDuplexStream<Buffer, Buffer>) => {
        const call = client.makeBidiStreamRequest(path, bytes.serialize, bytes.deserialize);
        caller.on('data', (frame: Buffer) => {
          note(OperatorMessage.decode(frame).payload?.$case);
          call.write(skew.up(frame));
        });
        call.on('data', (frame: Buffer) => {
          note(ShardMessage.decode(frame).payload?.$case);
          for (const each of skew.down(frame)) caller.write(each);
        });
        caller.on('end', () => call.end());
        caller.on('cancelled', () => call.cancel());
        caller.on('error', () => call.cancel());
        call.on('error', (error) => caller.destroy(error));
        call.on('end', () => caller.end());
      },
    });
    const port = await new Promise<number>((resolve, reject) => server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound))));
    return new SkewRelay(server, client, port, passed);
  }

  stop(): void {
    this.server.forceShutdown();
    this.client.close();
  }
}
