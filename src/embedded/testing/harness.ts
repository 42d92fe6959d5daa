/** What the tests of this folder share: a started server, a plain HTTP client, and watches that can be read event by event. */
import { readdirSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import { VirtualClock } from '../../lib/virtual-clock.ts';
import type { ResourceType } from '../../runtime/types.ts';
import type { EmbeddedControlPlane, EmbeddedControlPlaneOptions } from '../api.ts';
import { startEmbeddedControlPlane } from '../control-plane.ts';
import type { JsonObject } from '../json.ts';

const crdFolder = path.join(import.meta.dirname, '../../../config/crd/bases');
export const crds = readdirSync(crdFolder).map((file) => path.join(crdFolder, file));

/** A server with all definitions of this project, on virtual time; closed after the test. */
export async function start(options: Partial<EmbeddedControlPlaneOptions> = {}): Promise<EmbeddedControlPlane & { clock: VirtualClock }> {
  const clock = new VirtualClock();
  const plane = await startEmbeddedControlPlane({ name: 'test', crds, clock, ...options });
  onTestFinished(() => plane.close());
  return Object.assign(plane, { clock });
}

export interface Answer {
  readonly code: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
  /** The body as JSON; typed loosely because tests look into it everywhere. */
  readonly body: Loose;
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- answers of every shape are looked into
export type Loose = any;

export const merge = 'application/merge-patch+json';
export const apply = 'application/apply-patch+yaml';
export const json = 'application/json-patch+json';
export const strategic = 'application/strategic-merge-patch+json';

export function call(plane: { url: string }, method: string, target: string, body?: unknown, headers: Record<string, string> | string = {}): Promise<Answer> {
  const own = typeof headers === 'string' ? { 'content-type': headers } : headers;
  const payload = Buffer.from(body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body));
  return new Promise((resolve, reject) => {
    const request = http.request(plane.url + target, { method, agent: false, headers: { 'content-type': 'application/json', 'content-length': payload.length, ...own } }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        const isJson = response.headers['content-type']?.includes('json') === true;
        const complete = isJson && !text.includes('}\n{');
        resolve({ code: response.statusCode ?? 0, headers: response.headers, text, body: complete ? (JSON.parse(text || 'null') as unknown) : undefined });
      });
    });
    request.on('error', reject);
    request.end(payload);
  });
}

export interface OpenWatch {
  readonly code: number;
  /** The next event; undefined when the stream has ended. */
  next(): Promise<Loose>;
  /** The next so many events. */
  take(count: number): Promise<Loose[]>;
  /** Stops and goes on reading from the socket. */
  pause(): void;
  resume(): void;
  close(): void;
}

export function watch(plane: { url: string }, target: string, accept = 'application/json'): Promise<OpenWatch> {
  return new Promise((resolve, reject) => {
    const request = http.get(plane.url + target, { agent: false, headers: { accept } }, (response) => {
      const events: unknown[] = [];
      const waiting: ((event: unknown) => void)[] = [];
      let rest = '';
      let ended = false;
      const finish = (): void => {
        ended = true;
        for (const waiter of waiting.splice(0)) waiter(undefined);
      };
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop()!;
        for (const line of lines) {
          const event: unknown = JSON.parse(line);
          const waiter = waiting.shift();
          if (waiter) waiter(event);
          else events.push(event);
        }
      });
      response.on('end', finish);
      response.on('error', finish);
      response.on('close', finish);
      const next = (): Promise<unknown> => (events.length > 0 ? Promise.resolve(events.shift()) : ended ? Promise.resolve(undefined) : new Promise((done) => waiting.push(done)));
      resolve({
        code: response.statusCode ?? 0,
        next,
        async take(count) {
          const taken: unknown[] = [];
          while (taken.length < count) taken.push(await next());
          return taken;
        },
        pause: () => void response.pause(),
        resume: () => void response.resume(),
        close: () => request.destroy(),
      });
    });
    request.on('error', reject);
  });
}

/** Lets background work (collection, budgets, flushed watches) that is due now run. */
export async function settle(turns = 10): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
}

export const control = '/apis/control.bigfleet.lucy.sh/v1alpha1/namespaces/default';
export const fleet = '/apis/bigfleet.lucy.sh/v1alpha1';
export const podsPath = '/api/v1/namespaces/default/pods';

export const shardType: ResourceType = { group: 'control.bigfleet.lucy.sh', version: 'v1alpha1', plural: 'shards', kind: 'Shard', namespaced: true };
export const machineType: ResourceType = { ...shardType, plural: 'machines', kind: 'Machine' };

export function shard(name: string, spec: JsonObject = {}, metadata: JsonObject = {}): Loose {
  return { apiVersion: 'control.bigfleet.lucy.sh/v1alpha1', kind: 'Shard', metadata: { name, ...metadata }, spec };
}

export function machine(name: string, metadata: JsonObject = {}): Loose {
  return { apiVersion: 'control.bigfleet.lucy.sh/v1alpha1', kind: 'Machine', metadata: { name, ...metadata }, spec: { machineId: name, providerRef: 'p', shardRef: 's' } };
}

export function pod(name: string, extra: { metadata?: JsonObject; spec?: JsonObject } = {}): Loose {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'default', ...extra.metadata }, spec: { containers: [{ name: 'main', image: 'app' }], ...extra.spec } };
}

export function node(name: string): Loose {
  return { apiVersion: 'v1', kind: 'Node', metadata: { name }, status: { conditions: [{ type: 'Ready', status: 'True' }] } };
}
