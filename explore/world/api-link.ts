import { StatusError } from '../../src/embedded/status-error.ts';
import { ApiError, TransportError } from '../../src/runtime/client/api-error.ts';
import type { StatusBody } from '../../src/runtime/client/api-error.ts';
import type { Transport, TransportRequest } from '../../src/runtime/client/transport.ts';
import type { Machine } from '../../src/api/types.ts';
import type { Faults } from '../faults/faults.ts';
import type { SimulatedApiServer } from './api-server.ts';
import type { Ground } from './ground.ts';
import type { Process } from './process.ts';
import type { Timeline } from './timeline.ts';

const BOOKMARK_MS = 30_000;
const OF_MACHINES = /\/machines(\?|$)/;
const ERRORS = [500, 503, 429, 504] as const;

/** How the API server is doing. */
export class ApiCondition {
  /** Nobody is answered. */
  isAway = false;
  /** When a call last failed that should not have. */
  troubleAt = -Infinity;
  /** Open watches, by what ends them. */
  readonly streams = new Set<(error: unknown) => void>();

  cutStreams(): void {
    for (const end of [...this.streams]) end(new TransportError('watch', 'ECONNRESET', 'connection reset', { sent: true }));
  }
}

/** How one process reaches the API server. */
export function apiLink({ process, server, timeline, faults, ground, api }: {
  readonly process: Process; readonly server: SimulatedApiServer; readonly timeline: Timeline; readonly faults: Faults; readonly ground: Ground; readonly api: ApiCondition;
}): Transport {
  const read = ({ spec: { machineId, hold = false } }: Machine): void => ground.read(process.name, machineId, hold);
  const never = <T>(): Promise<T> => new Promise<T>(() => undefined);
  const fails = (request: string, error: unknown): unknown =>
    error instanceof StatusError ? new ApiError(request, error.code, error.toStatus() as StatusBody) : error;

  return {
    call(request: TransportRequest): Promise<unknown> {
      const what = `${request.method} ${request.path.replace(/\?.*/, '').replace(/.*\/namespaces\/[^/]*\//, '')}`;
      const isWrite = request.method !== 'GET';
      if (!process.isAlive) return never();
      if (request.signal.aborted) return Promise.reject(request.signal.reason as Error);
      const dies = (point: 'before' | 'after'): boolean => {
        if (!isWrite || !process.isAlive || !faults.strikes(`shard crash ${point} api write`, `${process.name} ${what}`)) return false;
        process.kill();
        return true;
      };
      if (dies('before')) return never();
      return new Promise((resolve, reject) => {
        const onAbort = (): void => reject(request.signal.reason as Error);
        request.signal.addEventListener('abort', onAbort, { once: true });
        const settle = (ms: number, then: () => void): void => void timeline.after(ms, () => process.enter(() => {
          request.signal.removeEventListener('abort', onAbort);
          then();
        }));
        const broken = (isSent: boolean): void => {
          api.troubleAt = timeline.now;
          settle(faults.between(1, 20), () => reject(new TransportError(what, isSent ? 'ECONNRESET' : 'ECONNREFUSED', isSent ? 'connection reset' : 'connection refused', { sent: isSent })));
        };
        process.leave(() => {
          if (api.isAway) return broken(false);
          const slow = faults.strikes('api slow', what) ? faults.between(1_000, 15_000) : 0;
          if (slow > 0) api.troubleAt = timeline.now + slow;
          timeline.after(slow + faults.between(1, 8), () => {
            if (api.isAway) return broken(true);
            if (faults.strikes('api error', what)) {
              api.troubleAt = timeline.now;
              const status = faults.pick(ERRORS);
              return settle(faults.between(1, 8), () => reject(new ApiError(what, status, { reason: 'Simulated', message: 'simulated' }, status === 429 ? 1 : undefined)));
            }
            let answer: unknown;
            let error: unknown;
            try {
              answer = server.perform(request);
            } catch (thrown) {
              error = fails(what, thrown);
            }
            if (faults.strikes('api reply lost', what)) return broken(true);
            settle(faults.between(1, 8), () => {
              if (dies('after')) return;
              if (error !== undefined) return reject(error as Error);
              if (!isWrite && OF_MACHINES.test(request.path)) for (const object of (answer as { items?: Machine[] }).items ?? []) read(object);
              resolve(answer);
            });
          });
        });
      });
    },

    async stream(path, signal) {
      const queue: Uint8Array[] = [];
      let wake = (): void => undefined;
      let ended: { readonly error: unknown } | undefined;
      const stops: (() => void)[] = [];
      const end = (error: unknown): void => {
        api.streams.delete(end);
        for (const one of stops.splice(0)) one();
        process.enter(() => {
          ended ??= { error };
          wake();
        });
      };
      if (!process.isAlive) return never();
      await new Promise<void>((resolve, reject) => timeline.after(faults.between(1, 8), () => process.enter(() => {
        if (api.isAway) reject(new TransportError(`GET ${path}`, 'ECONNREFUSED', 'connection refused', { sent: false }));
        else resolve();
      })));
      signal.throwIfAborted();
      const arrive = (bytes: Uint8Array): void => void timeline.after(3, () => process.enter(() => {
        queue.push(bytes);
        wake();
      }));
      try {
        stops.push(server.watch(path, arrive));
      } catch (error) {
        throw fails(`GET ${path}`, error);
      }
      const bookmarks = (): void => {
        stops.push(timeline.after(BOOKMARK_MS, () => {
          if (ended) return;
          arrive(server.bookmarkOf(path));
          bookmarks();
        }));
      };
      bookmarks();
      api.streams.add(end);
      process.onEnd(() => end(undefined));
      signal.addEventListener('abort', () => end(signal.reason), { once: true });
      return (async function* () {
        for (;;) {
          const next = queue.shift();
          if (next) {
            if (OF_MACHINES.test(path)) for (const object of objectsIn(next)) read(object);
            yield next;
          } else if (ended) {
            if (ended.error === undefined) return;
            throw ended.error;
          } else await new Promise<void>((resolve) => (wake = resolve));
        }
      })();
    },

    refreshToken: () => false,
    close: () => Promise.resolve(),
  };
}

/** Machines that a watch tells of, as they are. */
function objectsIn(line: Uint8Array): readonly Machine[] {
  const { type, object } = JSON.parse(Buffer.from(line).toString()) as { readonly type: string; readonly object: Machine };
  return type === 'ADDED' || type === 'MODIFIED' ? [object] : [];
}
