import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { HealthCheckResponse_ServingStatus as Status, HealthService } from '../../api/gen/grpc/health/v1/health.ts';
import { ServerReflectionService, type ServerReflectionRequest } from '../../api/gen/grpc/reflection/v1/reflection.ts';
import type { ServerStreamMethod, UnaryMethod, BidiMethod } from '../../api/grpc.ts';
import type { HealthCheckRequest, HealthCheckResponse } from '../../api/gen/grpc/health/v1/health.ts';
import type { ServerReflectionResponse } from '../../api/gen/grpc/reflection/v1/reflection.ts';
import { serveScripted, type KitHarness } from '../testing/kit-harness.ts';
import { codeOf } from '../testing/rpc.ts';
import { ScriptedBackend } from '../testing/scripted-backend.ts';
import { memoryStore, type StateStore } from './state-store.ts';

const SERVICE = 'bigfleet.v1alpha1.CapacityProvider';
const check = HealthService.check as UnaryMethod<HealthCheckRequest, HealthCheckResponse>;
const watch = HealthService.watch as ServerStreamMethod<HealthCheckRequest, HealthCheckResponse>;
const reflect = ServerReflectionService.serverReflectionInfo as BidiMethod<ServerReflectionRequest, ServerReflectionResponse>;

let h: KitHarness;
afterEach(() => h.close());

/** A store whose disk can be full. */
function fillable(): { store: StateStore; full: boolean; closed: boolean } {
  const disk = {
    full: false, closed: false,
    store: {
      ...memoryStore(),
      append: () => {
        if (disk.full) throw new Error('ENOSPC');
      },
    },
  };
  return disk;
}

describe('health', () => {
  const status = async (service: string): Promise<number> => (await h.rpc.peer.unary(check, { service })).status;

  it('is SERVING for the server and the provider, NOT_FOUND for others', async () => {
    h = await serveScripted(new ScriptedBackend());
    expect([await status(''), await status(SERVICE)]).toEqual([Status.SERVING, Status.SERVING]);
    expect(await codeOf(status('else'))).toBe('NOT_FOUND');
  });

  it('is NOT_SERVING while the state cannot be persisted, and comes back by itself', async () => {
    const disk = fillable();
    h = await serveScripted(new ScriptedBackend(), { store: disk.store, metricsAddress: '127.0.0.1:0' });
    const ready = async (): Promise<[number, string]> => {
      const answer = await fetch(`http://127.0.0.1:${h.provider.metricsPort}/readyz`);
      return [answer.status, await answer.text()];
    };
    const seen: number[] = [];
    const stop = new AbortController();
    const watching = (async () => {
      for await (const answer of h.rpc.peer.serverStream(watch, { service: SERVICE }, { signal: stop.signal })) seen.push(answer.status);
    })().catch(() => {});
    while (seen.length === 0) await h.settle();
    expect(await ready()).toEqual([200, 'ok\n']);
    disk.full = true;
    expect(await codeOf(h.rpc.create('m-1'))).toBe('UNAVAILABLE');
    expect(await status(SERVICE)).toBe(Status.NOT_SERVING);
    expect(await ready()).toEqual([503, expect.stringContaining('ENOSPC')]);
    await h.clock.advance(1_000);
    expect(await status('')).toBe(Status.NOT_SERVING);
    disk.full = false;
    await h.clock.advance(1_000);
    expect(await status(SERVICE)).toBe(Status.SERVING);
    expect((await ready())[0]).toBe(200);
    while (seen.length < 3) await h.settle();
    expect(seen).toEqual([Status.SERVING, Status.NOT_SERVING, Status.SERVING]);
    stop.abort();
    await watching;
  });

  it('does not come back while syncs fail, whatever appends do', async () => {
    let broken = false;
    h = await serveScripted(new ScriptedBackend(), { store: { ...memoryStore(), flush: () => (broken ? Promise.reject(new Error('EIO')) : Promise.resolve()) } });
    broken = true;
    expect(await codeOf(h.rpc.create('m-1'))).toBe('UNAVAILABLE');
    await h.clock.advance(60_000);
    expect(await status('')).toBe(Status.NOT_SERVING);
  });

  it('a watcher does not keep a provider from stopping', async () => {
    h = await serveScripted(new ScriptedBackend());
    const seen: number[] = [];
    const watching = (async () => {
      for await (const answer of h.rpc.peer.serverStream(watch, { service: 'else' })) seen.push(answer.status);
    })().then(() => 'ended', () => 'cut off');
    while (seen.length === 0) await h.settle();
    await h.provider.close();
    expect(await watching).toBe('ended');
    expect(seen).toEqual([Status.SERVICE_UNKNOWN]);
  });
});

describe('the start', () => {
  it('says when nobody waits for Nodes to be Ready', async () => {
    h = await serveScripted(new ScriptedBackend());
    expect(h.warnings).toEqual([expect.stringContaining('no confirmNodeReady')]);
    await h.close();
    h = await serveScripted(new ScriptedBackend({ confirms: true }));
    expect(h.warnings).toEqual([]);
  });
});

describe('reflection', () => {
  it('tells a tool all that it needs to call the provider', async () => {
    h = await serveScripted(new ScriptedBackend());
    const buf = fileURLToPath(new URL('../../../node_modules/.bin/buf', import.meta.url));
    const curl = async (...args: string[]): Promise<string> => (await promisify(execFile)(buf, ['curl', '--protocol', 'grpc', '--http2-prior-knowledge', ...args])).stdout;
    const url = `http://127.0.0.1:${h.provider.port}`;
    for (const protocol of ['grpc-v1', 'grpc-v1alpha']) {
      expect((await curl('--list-services', '--reflect-protocol', protocol, url)).trim().split('\n').sort()).toEqual([
        SERVICE, 'grpc.health.v1.Health', 'grpc.reflection.v1.ServerReflection', 'grpc.reflection.v1alpha.ServerReflection',
      ]);
    }
    expect(JSON.parse(await curl('-d', '{"id":"m-1"}', `${url}/${SERVICE}/Get`))).toMatchObject({ id: 'm-1', state: 'MACHINE_STATE_SPECULATIVE', instanceType: 't' });
    expect(JSON.parse(await curl('-d', '{}', `${url}/grpc.health.v1.Health/Check`))).toEqual({ status: 'SERVING' });
  });

  it('answers what it does not know with an error, and goes on', async () => {
    h = await serveScripted(new ScriptedBackend());
    const call = h.rpc.peer.bidi(reflect);
    const questions: ServerReflectionRequest['messageRequest'][] = [
      { $case: 'fileContainingSymbol', value: 'no.such.Thing' },
      { $case: 'fileByFilename', value: '__proto__' },
      { $case: 'fileContainingExtension', value: { containingType: 'x', extensionNumber: 1 } },
      { $case: 'allExtensionNumbersOfType', value: 'bigfleet.v1alpha1.Machine' },
      { $case: 'fileContainingSymbol', value: `${SERVICE}.List` },
      undefined,
    ];
    for (const messageRequest of questions) await call.send({ host: 'h', messageRequest });
    call.end();
    const answers: (string | undefined)[] = [];
    for await (const { messageResponse, validHost } of call.messages) {
      expect(validHost).toBe('h');
      answers.push(messageResponse?.$case === 'errorResponse' ? `error ${messageResponse.value.errorCode}` : messageResponse?.$case);
    }
    expect(answers).toEqual(['error 5', 'error 5', 'error 5', 'allExtensionNumbersResponse', 'fileDescriptorResponse', 'error 3']);
  });
});

describe('metrics', () => {
  const scrape = async (): Promise<(line: string) => string | undefined> => {
    const text = await (await fetch(`http://127.0.0.1:${h.provider.metricsPort}/metrics`)).text();
    const values = new Map(text.split('\n').filter((line) => !line.startsWith('#')).map((line) => [line.slice(0, line.lastIndexOf(' ')), line.slice(line.lastIndexOf(' ') + 1)]));
    return (name) => values.get(`bigfleet_provider_${name}`);
  };

  it('count calls, machines, operations and what a person should know', async () => {
    const backend = new ScriptedBackend({ recovers: true });
    h = await serveScripted(backend, { metricsAddress: '127.0.0.1:0' });
    await h.toConfigured('m-1');
    await h.rpc.configure('m-1', { cluster: 'another' });
    await codeOf(h.rpc.create('m-1', ['test', 0, 0]));
    await h.rpc.create('m-2');
    await h.clock.advance(7_000);
    backend.last('create').fail('quota');
    await h.settle();
    await h.provider.reconcile();
    let value = await scrape();
    expect(value('calls_total{rpc="Configure",code="OK"}')).toBe('2');
    expect(value('calls_total{rpc="Create",code="FAILED_PRECONDITION"}')).toBe('1');
    expect([value('machines{state="Configured"}'), value('machines{state="Failed"}'), value('machines{state="Idle"}')]).toEqual(['1', '1', '0']);
    expect(value('operation_duration_seconds_sum{kind="Create",outcome="failed"}')).toBe('7');
    expect(value('operation_duration_seconds_count{kind="Create",outcome="succeeded"}')).toBe('1');
    expect(value('operation_duration_seconds_count{kind="Configure",outcome="succeeded"}')).toBe('1');
    expect(value('cluster_mismatches_total')).toBe('1');
    expect(value('reconciles_total{outcome="ok"}')).toBe('1');
    expect(value('persisting')).toBe('1');
    backend.last('recover').succeed('speculative');
    backend.describe = () => Promise.reject(new Error('401'));
    await expect(h.provider.reconcile()).rejects.toThrow('401');
    value = await scrape();
    expect(value('recoveries_total{result="Speculative"}')).toBe('1');
    expect(value('reconciles_total{outcome="error"}')).toBe('1');
  });

  it('say that the state cannot be persisted', async () => {
    const disk = fillable();
    h = await serveScripted(new ScriptedBackend(), { store: disk.store, metricsAddress: '127.0.0.1:0' });
    await h.rpc.create('m-1');
    await h.settle();
    disk.full = true;
    await codeOf(h.rpc.create('m-2'));
    await codeOf(h.rpc.create('m-2'));
    const value = await scrape();
    expect([value('persisting'), value('persist_failures_total'), value('calls_total{rpc="Create",code="UNAVAILABLE"}')]).toEqual(['0', '1', '2']);
  });

  it('are served nowhere unless asked for; an address that is taken stops the start', async () => {
    h = await serveScripted(new ScriptedBackend());
    expect(h.provider.metricsPort).toBeUndefined();
    const address = `127.0.0.1:${h.provider.port}`;
    await expect(serveScripted(new ScriptedBackend(), { metricsAddress: address })).rejects.toThrow(`cannot listen on ${address}`);
  });
});
