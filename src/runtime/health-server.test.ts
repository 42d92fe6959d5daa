import { request } from 'node:http';
import { Registry } from 'prom-client';
import { afterEach, describe, expect, test } from 'vitest';
import { createHealthServer } from './health-server.ts';
import type { HealthServer, HealthServerOptions } from './health-server.ts';
import { createRuntimeMetrics } from './metrics.ts';
import { silentLog } from './types.ts';

let server: HealthServer | undefined;

afterEach(async () => {
  await server?.stop();
  server = undefined;
});

async function started(options: Partial<HealthServerOptions> = {}): Promise<HealthServer> {
  server = createHealthServer({ address: '127.0.0.1:0', log: silentLog, ...options });
  await server.start();
  return server;
}

async function read(path: string): Promise<[number, string]> {
  const answer = await fetch(`http://127.0.0.1:${server!.port}${path}`);
  return [answer.status, await answer.text()];
}

describe('health server', () => {
  test('checks decide, and say what is wrong', async () => {
    const { addLiveness, addReadiness } = await started();
    let problem: string | undefined = 'stuck';
    addLiveness('loop', () => problem);
    addReadiness('cache', () => undefined);
    expect(await read('/healthz')).toEqual([503, 'loop: stuck\n']);
    expect(await read('/readyz?verbose')).toEqual([200, 'ok\n']);
    problem = undefined;
    expect(await read('/healthz')).toEqual([200, 'ok\n']);
  });

  test('metrics are served under the customary names', async () => {
    const registry = new Registry();
    const metrics = createRuntimeMetrics(registry);
    metrics.controller('machine', 4).reconciled('terminal', 0.2);
    metrics.controller('machine', 4).reconciled('requeue_after', 0.2);
    metrics.controller('machine', 4).activeWorkers(3);
    const queue = metrics.queue('machine');
    queue.added();
    queue.depth(7);
    queue.waited(250);
    queue.worked(50);
    queue.retried();
    metrics.informers.list('Machine');
    metrics.informers.watchEnded('Machine', 'expired');
    metrics.informers.handlerError('Machine');
    metrics.request('GET', 200);
    metrics.request('GET', 0);
    metrics.leader('shard-0', true);
    await started({ registry });
    const [status, text] = await read('/metrics');
    expect(status).toBe(200);
    for (const line of [
      'controller_runtime_reconcile_total{controller="machine",result="error"} 1',
      'controller_runtime_reconcile_total{controller="machine",result="requeue_after"} 1',
      'controller_runtime_reconcile_errors_total{controller="machine"} 1',
      'controller_runtime_terminal_reconcile_errors_total{controller="machine"} 1',
      'controller_runtime_max_concurrent_reconciles{controller="machine"} 4',
      'controller_runtime_active_workers{controller="machine"} 3',
      'workqueue_adds_total{name="machine"} 1',
      'workqueue_depth{name="machine"} 7',
      'workqueue_retries_total{name="machine"} 1',
      'workqueue_queue_duration_seconds_sum{name="machine"} 0.25',
      'workqueue_work_duration_seconds_sum{name="machine"} 0.05',
      'informer_lists_total{kind="Machine"} 1',
      'informer_watch_endings_total{kind="Machine",ending="expired"} 1',
      'informer_handler_errors_total{kind="Machine"} 1',
      'rest_client_requests_total{method="GET",code="200"} 1',
      'rest_client_requests_total{method="GET",code="<error>"} 1',
      'leader_election_master_status{name="shard-0"} 1',
    ]) {
      expect(text).toContain(line);
    }
  });

  test('further routes are served; a failing one answers 500; unknown paths are named', async () => {
    await started({
      routes: {
        '/debug/plan': (_request, response) => void response.end('the plan'),
        '/debug/bug': () => Promise.reject(new Error('a bug')),
      },
    });
    expect(await read('/debug/plan')).toEqual([200, 'the plan']);
    expect((await read('/debug/bug'))[0]).toBe(500);
    expect(await read('/nope')).toEqual([404, expect.stringContaining('no /nope here; try /debug/plan')]);
  });

  test('a path that is no path is refused, and the process lives on', async () => {
    const { port } = await started();
    const answer = await new Promise<number | undefined>((resolve, reject) => {
      request({ host: '127.0.0.1', port, path: '//' }, (response) => resolve(response.resume().statusCode)).once('error', reject).end();
    });
    expect(answer).toBe(404);
    expect((await read('/healthz'))[0]).toBe(200);
  });

  test('a stopped server is gone', async () => {
    const { stop } = await started();
    const { port } = server!;
    await stop();
    await expect(fetch(`http://127.0.0.1:${port}/healthz`)).rejects.toThrow();
  });

  test.each(['0', ''])('address "%s" means no server', async (address) => {
    const { port } = await started({ address });
    expect(port).toBeUndefined();
  });

  test('an address that cannot be used is named', async () => {
    expect(() => createHealthServer({ address: '8080', log: silentLog })).toThrow('address "8080" is not host:port');
    const { port } = await started();
    const second = createHealthServer({ address: `127.0.0.1:${port}`, log: silentLog });
    await expect(second.start()).rejects.toThrow(`cannot listen on 127.0.0.1:${port}`);
  });
});
