import { setTimeout as pause } from 'node:timers/promises';

/** What the provider needs of your cloud. Put its client behind this and keep the rest of the files small. */
export interface Cloud {
  /** Every server that this provider made and that still exists. */
  servers(signal: AbortSignal): Promise<readonly Server[]>;
  /** Makes a server, or finds the one that `token` made before: repeating a request must not make a second one. */
  createServer(request: { readonly name: string; readonly type: string; readonly zone: string; readonly token: string }, signal: AbortSignal): Promise<Server>;
  /** Reboots the server with this user data; resolves when the cloud has taken it over. */
  boot(serverId: string, userData: Uint8Array, signal: AbortSignal): Promise<void>;
  /**
   * Whether Pods run on the server that have to be moved off it; those of DaemonSets do not count. Ask what you have put on your
   * servers, for instance `crictl pods` there. If you cannot tell, say true: each drain then takes all of its grace period.
   */
  hasPods(serverId: string, signal: AbortSignal): Promise<boolean>;
  /** Reinstalls the server without user data; nothing of what ran on it is left. */
  wipe(serverId: string, signal: AbortSignal): Promise<void>;
  /** Succeeds also when there is no such server. */
  deleteServer(serverId: string, signal: AbortSignal): Promise<void>;
}

/** What a cloud says no with. Make it of your client's errors, or look at their codes in `backend.ts`. */
export class CloudRefusal extends Error {
  readonly code: 'NoCapacity' | 'QuotaExceeded' | 'TooManyRequests' | 'BadRequest';
  /** Of a `Retry-After` header, in seconds. */
  readonly retryAfterSeconds: number | undefined;

  constructor(code: CloudRefusal['code'], message: string, retryAfterSeconds?: number) {
    super(message);
    this.code = code;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** Time, in milliseconds: tests have their own. */
export interface Time {
  now(): number;
  pause(ms: number, signal: AbortSignal): Promise<void>;
}

export const realTime: Time = { now: () => performance.now(), pause: (ms, signal) => pause(ms, undefined, { signal }) };

export interface Server {
  readonly id: string;
  /** As given to createServer. */
  readonly name: string;
}

/** A cloud of nothing, so that the template runs before you have written yours. Replace it. */
export function makeBelieveCloud(latencyMs = 20): Cloud {
  const servers = new Map<string, Server>();
  const byToken = new Map<string, Server>();
  return {
    servers: () => Promise.resolve([...servers.values()]),
    async createServer({ name, token }, signal) {
      await pause(latencyMs, undefined, { signal });
      const server = byToken.get(token) ?? { id: `server-${byToken.size + 1}`, name };
      byToken.set(token, server);
      servers.set(server.id, server);
      return server;
    },
    boot: (_id, _userData, signal) => pause(latencyMs, undefined, { signal }),
    hasPods: () => Promise.resolve(false),
    wipe: (_id, signal) => pause(latencyMs, undefined, { signal }),
    async deleteServer(id, signal) {
      await pause(latencyMs, undefined, { signal });
      servers.delete(id);
    },
  };
}
