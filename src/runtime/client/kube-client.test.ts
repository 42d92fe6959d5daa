import { getEventListeners } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { seededRandom } from '../../lib/random.ts';
import { FaultServer } from '../testing/fault-server.ts';
import { ObservableClock } from '../testing/observable-clock.ts';
import { selfSigned } from '../testing/self-signed.ts';
import type { KubeObject, ResourceType } from '../types.ts';
import { ApiError, isAlreadyExists, isConflict, TransportError } from './api-error.ts';
import { createKubeClient } from './kube-client.ts';
import type { KubeClientHandle, KubeClientOptions } from './kube-client.ts';

const THING: ResourceType = { group: 'example.org', version: 'v1', plural: 'things', kind: 'Thing', namespaced: true };
const NODE: ResourceType = { group: '', version: 'v1', plural: 'nodes', kind: 'Node', namespaced: false };
const REF = { namespace: 'ns', name: 'a' };
const OBJECT: KubeObject = { metadata: { name: 'a', namespace: 'ns' } };
const isRetryPause = (ms: number): boolean => ms <= 5_000;

let clock: ObservableClock;
let server: FaultServer;
let client: KubeClientHandle;
let seen: string[];
const cleanups: (() => void)[] = [];

beforeEach(async () => {
  clock = new ObservableClock();
  server = await new FaultServer().start();
  seen = [];
  client = newClient();
});

afterEach(async () => {
  await client.close();
  await server.stop();
  for (const cleanup of cleanups.splice(0)) cleanup();
});

function newClient(options: Partial<KubeClientOptions> = {}): KubeClientHandle {
  return createKubeClient({
    config: { server: server.url },
    clock,
    random: seededRandom(1),
    fieldManager: 'tester',
    userAgent: 'bigfleet-test/1',
    onRequest: (method, code) => seen.push(`${method} ${code}`),
    ...options,
  });
}

async function failure(call: Promise<unknown>): Promise<unknown> {
  return await call.then(
    () => expect.fail('the call should have failed'),
    (error: unknown) => error,
  );
}

describe('verbs', () => {
  test('get reads one object with what the server sent, unknown fields included', async () => {
    const call = client.get(THING, REF);
    const request = await server.next();
    expect(request).toMatchObject({ method: 'GET', path: '/apis/example.org/v1/namespaces/ns/things/a' });
    expect(request.headers['user-agent']).toBe('bigfleet-test/1');
    request.json({ ...OBJECT, unknown: { kept: 1 } });
    expect(await call).toEqual({ ...OBJECT, unknown: { kept: 1 } });
    expect(seen).toEqual(['GET 200']);
  });

  test('an absent object reads as undefined, and deleting it as false', async () => {
    const read = client.get(NODE, { name: 'n' });
    const request = await server.next();
    expect(request.path).toBe('/api/v1/nodes/n');
    request.fail(404, 'NotFound');
    expect(await read).toBeUndefined();
    const removal = client.delete(NODE, { name: 'n' });
    (await server.next()).fail(404, 'NotFound');
    expect(await removal).toBe(false);
  });

  test('create names the type and the field manager', async () => {
    const call = client.create(THING, OBJECT);
    const request = await server.next();
    expect(request).toMatchObject({ method: 'POST', path: '/apis/example.org/v1/namespaces/ns/things' });
    expect(request.query.get('fieldManager')).toBe('tester');
    expect(request.query.get('dryRun')).toBeNull();
    expect(JSON.parse(request.body)).toEqual({ apiVersion: 'example.org/v1', kind: 'Thing', ...OBJECT });
    request.fail(409, 'AlreadyExists');
    const error = await failure(call);
    expect(isAlreadyExists(error)).toBe(true);
    expect(isConflict(error)).toBe(false);
  });

  test('update replaces, also the status alone', async () => {
    const call = client.update(THING, OBJECT, { subresource: 'status' });
    const request = await server.next();
    expect(request).toMatchObject({ method: 'PUT', path: '/apis/example.org/v1/namespaces/ns/things/a/status' });
    request.fail(409, 'Conflict');
    expect(isConflict(await failure(call))).toBe(true);
  });

  test.each([
    { kind: 'merge', type: 'application/merge-patch+json', force: null },
    { kind: 'json', type: 'application/json-patch+json', force: null },
    { kind: 'apply', type: 'application/apply-patch+yaml', force: 'true' },
  ] as const)('a $kind patch says what it is', async ({ kind, type, force }) => {
    const call = client.patch(THING, REF, { metadata: { labels: { x: 'y' } } }, { kind, fieldManager: 'other', force: true });
    const request = await server.next();
    expect(request.method).toBe('PATCH');
    expect(request.headers['content-type']).toBe(type);
    expect(request.query.get('fieldManager')).toBe('other');
    expect(request.query.get('force')).toBe(force);
    expect(JSON.parse(request.body)).toHaveProperty('metadata.labels', { x: 'y' });
    if (kind === 'apply') expect(JSON.parse(request.body)).toMatchObject({ apiVersion: 'example.org/v1', kind: 'Thing' });
    request.json(OBJECT);
    await call;
  });

  test('delete carries its options', async () => {
    const call = client.delete(THING, REF, { gracePeriodSeconds: 0, propagationPolicy: 'Foreground', preconditions: { uid: 'u' } });
    const request = await server.next();
    expect(JSON.parse(request.body)).toMatchObject({ gracePeriodSeconds: 0, propagationPolicy: 'Foreground', preconditions: { uid: 'u' } });
    request.json({ kind: 'Status', status: 'Success' });
    expect(await call).toBe(true);
  });

  test.each([
    ['create', () => client.create(THING, OBJECT, { dryRun: true })],
    ['update', () => client.update(THING, OBJECT, { dryRun: true })],
    ['patch', () => client.patch(THING, REF, {}, { dryRun: true })],
    ['delete', () => client.delete(THING, REF, { dryRun: true })],
    ['post', () => client.post(THING, REF, 'eviction', {}, { dryRun: true })],
  ])('a dry %s says so', async (_verb, start) => {
    const call = start();
    const request = await server.next();
    expect(request.query.get('dryRun')).toBe('All');
    request.json(OBJECT);
    await call;
  });

  test('post reaches a subresource', async () => {
    const call = client.post(THING, REF, 'eviction', { x: 1 });
    const request = await server.next();
    expect(request).toMatchObject({ method: 'POST', path: '/apis/example.org/v1/namespaces/ns/things/a/eviction', body: '{"x":1}' });
    request.json({}, 201);
    await call;
  });

  test('a missing name or namespace is refused here: it would address the whole collection', async () => {
    await expect(client.delete(THING, { namespace: 'ns', name: '' })).rejects.toThrow('metadata.name');
    await expect(client.delete(THING, { name: 'a' })).rejects.toThrow('metadata.namespace');
    await expect(client.create(THING, { metadata: { name: 'a' } })).rejects.toThrow('metadata.namespace');
    expect(server.requests.waitingItems).toEqual([]);
  });

  test('an error carries status, reason, message and the causes with their fields', async () => {
    const call = client.create(THING, OBJECT);
    const causes = [{ field: 'spec.size', reason: 'FieldValueInvalid', message: 'must be positive' }];
    (await server.next()).fail(422, 'Invalid', { message: 'Thing "a" is invalid', details: { causes } });
    const error = (await failure(call)) as ApiError;
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ status: 422, reason: 'Invalid', causes });
    expect(error.message).toContain('Thing "a" is invalid');
  });

  test('an answer that is no Status, as of a proxy, still says what it said', async () => {
    const call = client.get(THING, REF, { maxAttempts: 1 });
    (await server.next()).raw(502, '<html>bad gateway</html>');
    expect(await failure(call)).toMatchObject({ status: 502, message: expect.stringContaining('bad gateway') });
  });
});

describe('list', () => {
  async function collect(items: AsyncIterable<KubeObject>): Promise<string[]> {
    const names: string[] = [];
    for await (const item of items) names.push(item.metadata.name);
    return names;
  }

  test('pages are joined; an expired token starts over', async () => {
    const all = collect(client.list(THING, { namespace: 'ns', pageSize: 2 }));
    const first = await server.next();
    expect(first.path).toBe('/apis/example.org/v1/namespaces/ns/things');
    expect(first.query.get('limit')).toBe('2');
    first.page([{ metadata: { name: 'a' } }], '1', 'token');
    (await server.next()).fail(410, 'Expired');
    const again = await server.next();
    expect(again.query.get('continue')).toBeNull();
    again.page([{ metadata: { name: 'a' } }], '2', 'token-2');
    const last = await server.next();
    expect(last.query.get('continue')).toBe('token-2');
    last.page([{ metadata: { name: 'b' } }], '2');
    expect(await all).toEqual(['a', 'a', 'b']);
  });

  test('tokens that never hold end in the error', async () => {
    const all = failure(collect(client.list(THING)));
    for (let i = 0; i < 6; i++) {
      (await server.next()).page([], '1', 'token');
      (await server.next()).fail(410, 'Expired');
    }
    expect(await all).toMatchObject({ status: 410 });
  });
});

describe('retries', () => {
  test('a read is repeated after a reset connection', async () => {
    const call = client.get(THING, REF);
    (await server.next()).reset();
    await clock.pass(isRetryPause);
    (await server.next()).json(OBJECT);
    expect(await call).toEqual(OBJECT);
    expect(seen).toEqual(['GET 0', 'GET 200']);
  });

  test.each(['create', 'patch', 'delete'] as const)('%s is not repeated after a reset connection: the server may have acted', async (verb) => {
    const call = { create: () => client.create(THING, OBJECT), patch: () => client.patch(THING, REF, {}), delete: () => client.delete(THING, REF) }[verb]();
    (await server.next()).reset();
    const error = (await failure(call)) as TransportError;
    expect(error).toBeInstanceOf(TransportError);
    expect(error.sent).toBe(true);
  });

  test('a write is repeated when the connection was refused', async () => {
    await server.stop();
    const call = client.create(THING, OBJECT);
    await clock.timer(isRetryPause);
    await server.start();
    await clock.pass(isRetryPause);
    (await server.next()).json(OBJECT, 201);
    expect(await call).toEqual(OBJECT);
  });

  test('with nobody there, the attempts end', async () => {
    await server.stop();
    const call = failure(client.create(THING, OBJECT));
    for (let i = 0; i < 4; i++) await clock.pass(isRetryPause);
    expect(await call).toMatchObject({ name: 'TransportError', sent: false });
    expect(seen).toHaveLength(5);
  });

  test.each(['GET', 'POST'])('429 with Retry-After is obeyed by %s', async (method) => {
    const call = method === 'GET' ? client.get(THING, REF) : client.create(THING, OBJECT);
    (await server.next()).fail(429, 'TooManyRequests', { retryAfter: '7' });
    expect(await clock.pass((ms) => ms < 30_000)).toBe(7_000);
    (await server.next()).json(OBJECT);
    expect(await call).toEqual(OBJECT);
  });

  test('a write is not repeated after a 429 without Retry-After or a 503', async () => {
    const first = client.create(THING, OBJECT);
    (await server.next()).fail(429, 'TooManyRequests');
    expect(await failure(first)).toMatchObject({ status: 429 });
    const second = client.create(THING, OBJECT);
    (await server.next()).fail(503, 'ServiceUnavailable', { retryAfter: '1' });
    expect(await failure(second)).toMatchObject({ status: 503, retryAfterSeconds: 1 });
  });

  test('a refusal by a PodDisruptionBudget is shown to the caller, not waited out', async () => {
    const call = client.post(THING, REF, 'eviction', {});
    (await server.next()).fail(429, 'TooManyRequests', { retryAfter: '10', details: { causes: [{ reason: 'DisruptionBudget' }] } });
    expect(await failure(call)).toMatchObject({ status: 429, retryAfterSeconds: 10 });
  });

  test('a read is repeated after 500 only if the server names a time', async () => {
    const plain = client.get(THING, REF);
    (await server.next()).fail(500, 'InternalError');
    expect(await failure(plain)).toMatchObject({ status: 500 });
    const timed = client.get(THING, REF);
    (await server.next()).fail(500, 'InternalError', { retryAfter: '1' });
    expect(await clock.pass(isRetryPause)).toBeGreaterThanOrEqual(1_000);
    (await server.next()).json(OBJECT);
    expect(await timed).toEqual(OBJECT);
  });

  test('a Retry-After beyond the timeout fails at once with the answer of the server', async () => {
    const call = client.get(THING, REF);
    (await server.next()).fail(429, 'TooManyRequests', { retryAfter: '3600' });
    expect(await failure(call)).toMatchObject({ status: 429, retryAfterSeconds: 3600 });
  });

  test('a truncated answer is a transport error', async () => {
    const call = client.get(THING, REF, { maxAttempts: 1 });
    (await server.next()).raw(200, '{"metadata":{"na');
    expect(await failure(call)).toMatchObject({ name: 'TransportError', code: 'BAD_BODY' });
  });
});

describe('time and abort', () => {
  test('a server that does not answer costs the timeout, and the message says so', async () => {
    const call = failure(client.get(THING, REF, { timeoutMs: 4_000 }));
    await server.next();
    await clock.advance(4_000);
    expect(await call).toMatchObject({ name: 'TransportError', code: 'TIMEOUT', message: expect.stringContaining('4000 ms') });
  });

  test('a call leaves neither a timer nor a listener behind', async () => {
    const { signal } = new AbortController();
    const call = client.get(THING, REF, { signal });
    (await server.next()).json(OBJECT);
    await call;
    expect(clock.pending).toBe(0);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  test('an abort ends the call with the reason of the signal', async () => {
    const abort = new AbortController();
    const call = failure(client.get(THING, REF, { signal: abort.signal }));
    await server.next();
    const reason = new Error('changed my mind');
    abort.abort(reason);
    expect(await call).toBe(reason);
    expect(await failure(client.get(THING, REF, { signal: abort.signal }))).toBe(reason);
  });

  test('an abort ends the wait for the rate limit and gives the token back', async () => {
    await client.close();
    client = newClient({ qps: 1, burst: 1 });
    const first = client.get(THING, REF);
    (await server.next()).json(OBJECT);
    await first;
    const abort = new AbortController();
    const waiting = failure(client.get(THING, REF, { signal: abort.signal }));
    await clock.timer((ms) => ms === 1_000);
    abort.abort(new Error('enough'));
    expect(await waiting).toMatchObject({ message: 'enough' });
    await clock.advance(1_000);
    const next = client.get(THING, REF);
    (await server.next()).json(OBJECT);
    await next;
  });

  test('calls beyond the burst wait their turn; unthrottled ones do not', async () => {
    await client.close();
    client = newClient({ qps: 10, burst: 2 });
    const calls = [1, 2, 3].map(() => client.get(THING, REF));
    (await server.next()).json(OBJECT);
    (await server.next()).json(OBJECT);
    await clock.timer((ms) => ms === 100);
    const renewal = client.get(NODE, { name: 'n' }, { unthrottled: true });
    const request = await server.next();
    expect(request.path).toBe('/api/v1/nodes/n');
    request.json(OBJECT);
    await renewal;
    await clock.advance(100);
    (await server.next()).json(OBJECT);
    await Promise.all(calls);
  });
});

describe('connections', () => {
  test('calls reuse their connections and watches do not starve them', async () => {
    const abort = new AbortController();
    for (let i = 0; i < 64; i++) {
      const watch = client.watch(THING, { resourceVersion: '1', timeoutSeconds: 300, signal: abort.signal });
      (await server.next()).stream();
      await watch;
    }
    for (let i = 0; i < 20; i++) {
      const call = client.get(THING, REF);
      (await server.next()).json(OBJECT);
      await call;
    }
    // One is reused; a second may open while the first is about to become free.
    expect(server.openConnections).toBeLessThanOrEqual(64 + 2);
    abort.abort(new Error('done'));
  });

  test('calls share a bounded number of connections', async () => {
    const calls = Array.from({ length: 50 }, () => client.get(THING, REF));
    const first = await Promise.all(Array.from({ length: 32 }, () => server.next()));
    expect(server.openConnections).toBe(32);
    for (const request of first) request.json(OBJECT);
    for (let i = 32; i < 50; i++) (await server.next()).json(OBJECT);
    await Promise.all(calls);
    expect(server.openConnections).toBeLessThanOrEqual(32);
  });

  test('https is checked against the CA, and skipped only on request', async () => {
    const tls = selfSigned();
    const secure = await new FaultServer(tls).start();
    const clients = [{ ca: tls.cert }, { insecureSkipTlsVerify: true }, {}].map((config) => newClient({ config: { server: secure.url, ...config } }));
    try {
      for (const trusted of clients.slice(0, 2)) {
        const call = trusted.get(THING, REF);
        (await secure.next()).json(OBJECT);
        expect(await call).toEqual(OBJECT);
      }
      const refused = await failure(clients[2]!.get(THING, REF, { maxAttempts: 1 }));
      expect(refused).toBeInstanceOf(TransportError);
      expect(secure.requests.waitingItems).toEqual([]);
    } finally {
      await Promise.all(clients.map((each) => each.close()));
      await secure.stop();
    }
  });
});

describe('bearer tokens', () => {
  function tokenFile(token: string): string {
    const dir = mkdtempSync(join(tmpdir(), 'bigfleet-token-'));
    cleanups.push(() => rmSync(dir, { recursive: true }));
    const path = join(dir, 'token');
    writeFileSync(path, `${token}\n`);
    return path;
  }

  async function authorization(): Promise<string | undefined> {
    const call = client.get(THING, REF);
    const request = await server.next();
    request.json(OBJECT);
    await call;
    return request.headers.authorization;
  }

  test('a token file is read again after 60 s, not before', async () => {
    const path = tokenFile('one');
    await client.close();
    client = newClient({ config: { server: server.url, tokenFile: path } });
    expect(await authorization()).toBe('Bearer one');
    writeFileSync(path, 'two');
    await clock.advance(59_999);
    expect(await authorization()).toBe('Bearer one');
    await clock.advance(1);
    expect(await authorization()).toBe('Bearer two');
    rmSync(path);
    await clock.advance(60_000);
    expect(await authorization()).toBe('Bearer two');
  });

  test('401 makes it read the file at once, and any verb is repeated once', async () => {
    const path = tokenFile('old');
    await client.close();
    client = newClient({ config: { server: server.url, tokenFile: path } });
    const call = client.create(THING, OBJECT);
    const first = await server.next();
    writeFileSync(path, 'new');
    first.fail(401, 'Unauthorized');
    const second = await server.next();
    expect(second.headers.authorization).toBe('Bearer new');
    second.fail(401, 'Unauthorized');
    expect(await failure(call)).toMatchObject({ status: 401 });
  });
});
