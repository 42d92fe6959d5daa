import { Server, ServerCredentials, credentials } from '@grpc/grpc-js';
import type { Metadata, handleUnaryCall } from '@grpc/grpc-js';
import { CapacityProviderService } from '../../api/gen/bigfleet/v1alpha1/provider.ts';
import type { CapacityProviderServer, MachineList } from '../../api/gen/bigfleet/v1alpha1/provider.ts';
import { GrpcCode, GrpcError, Peer, listen, shutdown } from '../../api/grpc.ts';
import type { UnaryMethod } from '../../api/grpc.ts';

/** What becomes of calls: they go through; nothing is ever answered; nothing but List and Get is; an error at once; a List that names nothing. */
export type Meddling = 'none' | 'silence' | 'mute' | 'unavailable' | 'empty List' | 'fencing';

/** Stands before a provider, on a socket of its own, and passes calls on, or does not. */
export class Meddler {
  meddling: Meddling = 'none';
  /** Calls by method, meddled with or not. */
  readonly asked: string[] = [];
  address = '';
  private readonly server = new Server();
  private readonly peer: Peer;

  constructor(target: string) {
    this.peer = new Peer(target, { credentials: credentials.createInsecure() });
  }

  async start(): Promise<this> {
    const service = Object.fromEntries(Object.entries(CapacityProviderService).map(([name, method]) => [name, this.pass(name, method as UnaryMethod<unknown, unknown>)]));
    this.server.addService(CapacityProviderService, service as unknown as CapacityProviderServer);
    this.address = `127.0.0.1:${await listen(this.server, '127.0.0.1:0', ServerCredentials.createInsecure())}`;
    return this;
  }

  async close(): Promise<void> {
    this.peer.close();
    await shutdown(this.server, AbortSignal.abort());
  }

  private pass(name: string, method: UnaryMethod<unknown, unknown>): handleUnaryCall<unknown, unknown> {
    return (call, callback) => {
      this.asked.push(name);
      const { meddling } = this;
      const isMutation = name !== 'list' && name !== 'get';
      if (meddling === 'silence' || (meddling === 'mute' && isMutation)) return;
      if (meddling === 'unavailable') return callback({ code: GrpcCode.UNAVAILABLE, details: 'out of order' });
      if (meddling === 'fencing' && isMutation) return callback({ code: GrpcCode.FAILED_PRECONDITION, details: 'a newer epoch was seen' });
      const onMetadata = (metadata: Metadata): void => call.sendMetadata(metadata);
      this.peer.unary(method, call.request, { metadata: call.metadata, timeoutMs: 10_000, onMetadata }).then(
        (answer) => callback(null, meddling === 'empty List' && name === 'list' ? { ...(answer as MachineList), machines: [] } : answer),
        (error: unknown) => callback(error instanceof GrpcError ? { code: error.code, details: error.message } : { code: GrpcCode.INTERNAL, details: String(error) }),
      );
    };
  }
}
