import { Server, ServerCredentials } from '@grpc/grpc-js';
import { listen as listenPlain, MAX_MESSAGE_BYTES, serveStream, serveUnary, type ServerContext } from '../api/grpc.ts';
import { ShardService } from '../api/gen/bigfleet/v1alpha1/shard.ts';
import type { ShardServer } from '../api/gen/bigfleet/v1alpha1/shard.ts';
import { ShardReadService } from '../api/gen/bigfleet/v1alpha1/shardread.ts';
import type { ShardReadServer } from '../api/gen/bigfleet/v1alpha1/shardread.ts';
import { ShardViewService } from '../api/gen/bigfleet/v1alpha1/view.ts';
import type { ShardViewServer } from '../api/gen/bigfleet/v1alpha1/view.ts';
import { listenTls, type Refusal, type ServerTlsFiles } from '../api/tls-listener.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log, Runnable } from '../runtime/types.ts';
import { inspectNeeds } from '../server/shard-read.ts';
import type { NeedViews } from '../server/shard-read.ts';
import type { ShardView } from '../server/shard-view.ts';
import type { SessionHub } from '../session/server/session-hub.ts';
import type { EdgeRights } from './edge-rights.ts';

export interface ShardServerOptions {
  /** `host:port`; `:port` listens everywhere. */
  readonly listen: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly hub: SessionHub;
  readonly needViews: () => NeedViews;
  readonly view: ShardView;
  /** Absent: plaintext, and nobody is asked who they are (spec: identity 6). */
  readonly tls?: ShardTls;
}

export interface ShardTls {
  readonly files: ServerTlsFiles;
  readonly rights: EdgeRights;
  readonly onRefused: (reason: Refusal) => void;
}

/** Pings of operators may come this often; ours come every 30 s (spec: operator 4.3). */
const MIN_PING_INTERVAL_MS = 20_000;
/** For a reader in the middle of a stream. */
const FORCE_MS = 200;

/** Serves Shard.Session, ShardRead and ShardView until stopped. */
export function createShardServer({ listen, clock, log, hub, needViews, view, tls }: ShardServerOptions): Runnable {
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
      const reader = <Q, A>(give: (request: Q) => A) => (request: Q, { call }: ServerContext): A => {
        tls?.rights.mayRead(call);
        return give(request);
      };
      const read: ShardReadServer = { inspectNeeds: serveStream(reader((request) => inspectNeeds(request, needViews()))) };
      const why: ShardViewServer = {
        explainMachine: serveUnary(reader(async (request) => view.explainMachine(request.machineId))),
        explainNeed: serveUnary(reader((request) => view.explainNeed(request))),
        explainCluster: serveUnary(reader(async (request) => view.explainCluster(request))),
        takeSnapshot: serveStream(reader(() => view.takeSnapshot())),
        listMachines: serveStream(reader((request) => view.listMachines(request))),
      };
      server.addService(ShardViewService, why);
      server.addService(ShardService, shard);
      server.addService(ShardReadService, read);
      const address = listen.startsWith(':') ? `0.0.0.0${listen}` : listen;
      const { port, stop } = await bind(server, address, tls, clock, log).catch((error: unknown) => {
        throw new Error(`--listen ${listen}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
      });
      log.info({ address, port, tls: tls !== undefined }, 'serving operators');
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
      stop();
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

async function bind(server: Server, address: string, tls: ShardTls | undefined, clock: Clock, log: Log): Promise<{ port: number; stop: () => void }> {
  if (!tls) return { port: await listenPlain(server, address, ServerCredentials.createInsecure()), stop: () => {} };
  return await listenTls(server, address, tls.files, {
    clock,
    onReload: (problem) => {
      if (problem === undefined) log.info({ ...tls.files }, 'the changed TLS files are used from now on');
      else log.error({ ...tls.files, problem }, 'the changed TLS files cannot be used: the last good ones are');
    },
    onRefused({ reason, peer, text }) {
      tls.onRefused(reason);
      log.warn({ peer, reason, text }, 'a connection was refused');
    },
  });
}
