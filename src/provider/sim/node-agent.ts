import { Agent, request } from 'node:http';
import type { Clock } from '../../lib/clock.ts';
import { sleep } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import type { CapacityType, StringMap } from '../kit/machine.ts';

export interface JoinRequest {
  readonly machineId: string;
  readonly providerId: string;
  readonly clusterId: string;
  readonly blob: Uint8Array;
  readonly instanceType: string;
  readonly zone: string;
  readonly capacityType: CapacityType;
  readonly labels: StringMap;
  readonly allocatable: StringMap;
}

/** What runs on the simulated hosts and makes them Nodes of a cluster. Every call may be repeated safely. */
export interface NodeAgent {
  /** Rejects when the agent refuses the blob. */
  join(request: JoinRequest, signal: AbortSignal): Promise<void>;
  /** Resolves when the machine's Pods are gone or the grace period is over. */
  leave(machineId: string, graceSeconds: number, signal: AbortSignal): Promise<void>;
  /** The machine dies without a drain. */
  kill(machineId: string, signal: AbortSignal): Promise<void>;
}

const ANSWER_TIMEOUT_MS = 10_000;
const LEAVE_MARGIN_MS = 60_000;
const BACKOFF_MIN_MS = 50;
const BACKOFF_MAX_MS = 2_000;

/**
 * Node agents behind one loopback URL. Lost connections, timeouts and 5xx answers are repeated with backoff until the
 * signal ends the operation; only a 4xx is an answer.
 */
export function httpNodeAgent(baseUrl: string, clock: Clock, random: Random): NodeAgent {
  const agent = new Agent({ keepAlive: true, maxSockets: Infinity, maxFreeSockets: 16 });

  async function call(path: string, body: object, timeoutMs: number, signal: AbortSignal): Promise<void> {
    for (let backoff = BACKOFF_MIN_MS; ; backoff = Math.min(backoff * 2, BACKOFF_MAX_MS)) {
      signal.throwIfAborted();
      const answer = await post(new URL(path, baseUrl), agent, JSON.stringify(body), timeoutMs, signal).catch(() => undefined);
      if (answer && answer.status < 300) return;
      if (answer && answer.status >= 400 && answer.status < 500) throw new Error(`node agent: ${answer.error || `status ${answer.status}`}`);
      await sleep(clock, backoff * (0.5 + random() / 2), signal);
    }
  }

  return {
    join: ({ blob, ...rest }, signal) => call('/join', { ...rest, blob: Buffer.from(blob).toString('base64') }, ANSWER_TIMEOUT_MS, signal),
    leave: (machineId, graceSeconds, signal) => call('/leave', { machineId, graceSeconds }, graceSeconds * 1_000 + LEAVE_MARGIN_MS, signal),
    kill: (machineId, signal) => call('/kill', { machineId }, ANSWER_TIMEOUT_MS, signal),
  };
}

/** Hosts that nobody watches: every step succeeds at once. */
export const noNodeAgent: NodeAgent = {
  join: () => Promise.resolve(),
  leave: () => Promise.resolve(),
  kill: () => Promise.resolve(),
};

function post(url: URL, agent: Agent, body: string, timeoutMs: number, signal: AbortSignal): Promise<{ status: number; error: string }> {
  return new Promise((resolve, reject) => {
    const req = request(
      url,
      { method: 'POST', agent, signal, timeout: timeoutMs, headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) } },
      (res) => {
        const chunks: Buffer[] = [];
        res.on('data', (chunk: Buffer) => chunks.push(chunk));
        res.on('error', reject);
        res.on('end', () => resolve({ status: res.statusCode ?? 0, error: errorOf(Buffer.concat(chunks).toString('utf8')) }));
      },
    );
    req.on('timeout', () => req.destroy(new Error(`no answer within ${timeoutMs} ms`)));
    req.on('error', reject);
    req.end(body);
  });
}

function errorOf(body: string): string {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null && 'error' in value ? String(value.error) : '';
  } catch {
    return '';
  }
}
