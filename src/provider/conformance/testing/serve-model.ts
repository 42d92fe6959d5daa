import { ServerCredentials } from '@grpc/grpc-js';
import {
  CapacityProviderService, type ConfigureRequest, type CreateRequest, type DeleteRequest, type DrainRequest,
} from '../../../api/gen/bigfleet/v1alpha1/provider.ts';
import { createGrpcServer, listen, serveUnary, type ServerContext } from '../../../api/grpc.ts';
import type { Call, Kind, ModelProvider } from './model-provider.ts';

export interface ServedModel {
  readonly address: string;
  /** Ends it as a crash would: calls under way are cut off, nothing is finished. */
  kill(): void;
}

type Request = CreateRequest & Partial<ConfigureRequest & DrainRequest & DeleteRequest>;

/** The model behind a real socket. */
export async function serveModel(model: ModelProvider): Promise<ServedModel> {
  const server = createGrpcServer();
  const mutation = (kind: Kind) => serveUnary(async (request: Request, context: ServerContext) => model.dispatch(callOf(kind, request, context.peer)));
  server.addService(CapacityProviderService, {
    create: mutation('create'), configure: mutation('configure'), drain: mutation('drain'), delete: mutation('delete'),
    get: serveUnary(async ({ id }: { id: string }) => model.get(id)),
    list: serveUnary(async (filter: Parameters<ModelProvider['list']>[0]) => model.list(filter)),
  });
  const port = await listen(server, '127.0.0.1:0', ServerCredentials.createInsecure());
  return {
    address: `127.0.0.1:${port}`,
    kill() {
      model.stop();
      server.forceShutdown();
    },
  };
}

function callOf(kind: Kind, r: Request, peer: string): Call {
  return {
    kind, peer, id: r.machineId, shard: r.shardId, epoch: r.shardEpoch, sequence: r.sequenceNumber,
    cluster: r.clusterId ?? '', metadata: r.shardMetadata ?? new Map(), blobBytes: r.bootstrapBlob?.length ?? 0, grace: r.gracePeriodSeconds ?? 0n,
  };
}
