import { Server, ServerCredentials } from '@grpc/grpc-js';
import { MAX_MESSAGE_BYTES, serveStream, serveUnary } from '../api/grpc.ts';
import { ShardService } from '../api/gen/bigfleet/v1alpha1/shard.ts';
import type { ShardServer } from '../api/gen/bigfleet/v1alpha1/shard.ts';
import { ShardReadService } from '../api/gen/bigfleet/v1alpha1/shardread.ts';
import type { ShardReadServer } from '../api/gen/bigfleet/v1alpha1/shardread.ts';
import { ShardViewService } from '../api/gen/bigfleet/v1alpha1/view.ts';
import type { ShardViewServer } from '../api/gen/bigfleet/v1alpha1/view.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log, Runnable } from '../runtime/types.ts';
import { inspectNeeds } from '../server/shard-read.ts';
import type { NeedViews } from '../server/shard-read.ts';
import type { ShardView } from '../server/shard-view.ts';
import type { SessionHub } from '../session/server/session-hub.ts';

export interface ShardServerOptions {
  /** `host:port`; `:port` listens everywhere. */
  readonly listen: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly hub: SessionHub;
  readonly needViews: () => NeedViews;
  readonly view: ShardView;
}

/** Pings of operators may come this often; ours come every 30 s (spec: operator 4.3). */
const MIN_PING_INTERVAL_MS = 20_000;
/** For a reader in the middle of a stream. */
const FORCE_MS = 200;

/** Serves Shard.Session, ShardRead and ShardView until stopped. */
export function createShardServer({ listen, clock, log, hub, needViews, view }: ShardServerOptions): Runnable {
  return {
    name: 'grpc-server',
    async run(signal) {
      const server = new Server({
        'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
        'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
        'grpc.http2.min_ping_interval_without_data_ms': MIN_PING_INTERVAL_MS,
        'grpc.keepalive_time_ms': 30_000,
        'grpc.keepalive_timeout_ms': 10_000,
      });
      const shard: ShardServer = { session: (stream) => hub.accept(stream) };
      const read: ShardReadServer = { inspectNeeds: serveStream((request) => inspectNeeds(request, needViews())) };
      const why: ShardViewServer = {
        explainMachine: serveUnary((request) => answer(() => view.explainMachine(request.machineId))),
        explainNeed: serveUnary((request) => view.explainNeed(request)),
        explainCluster: serveUnary((request) => answer(() => view.explainCluster(request))),
        takeSnapshot: serveStream(() => view.takeSnapshot()),
        listMachines: serveStream((request) => view.listMachines(request)),
      };
      server.addService(ShardViewService, why);
      server.addService(ShardService, shard);
      server.addService(ShardReadService, read);
      const address = listen.startsWith(':') ? `0.0.0.0${listen}` : listen;
      const port = await new Promise<number>((resolve, reject) => {
        server.bindAsync(address, ServerCredentials.createInsecure(), (error, bound) => {
          if (error) reject(new Error(`--listen ${listen}: cannot listen: ${error.message}`));
          else resolve(bound);
        });
      });
      log.info({ address, port }, 'serving operators');
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
      // Sessions are endless: without a word to them the server would have to cut them off.
      hub.closeAll('the shard is stopping');
      await new Promise<void>((resolve) => {
        const cancel = clock.after(FORCE_MS, () => server.forceShutdown());
        server.tryShutdown(() => {
          cancel();
          resolve();
        });
      });
    },
  };
}

/** A rejection where the answer throws, as unary handlers expect it. */
function answer<T>(give: () => T): Promise<T> {
  return new Promise((resolve) => resolve(give()));
}
