import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Node } from '../api/core.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { ApiError } from '../runtime/client/api-error.ts';
import { silentLog } from '../runtime/types.ts';
import type { KubeClient } from '../runtime/types.ts';
import { bootstrapTemplate } from './bootstrap-blob.ts';
import type { JoinRequest } from './join-request.ts';
import { serveNodeAgent } from './node-agent-server.ts';
import { JoinRefused, NodeAgent } from './node-agent.ts';

/** Nodes of one cluster behind the client interface; calls can be held up or made to fail. */
class FakeCluster {
  readonly nodes = new Map<string, Node>();
  readonly writes: string[] = [];
  hold: Promise<void> = Promise.resolve();
  failing = 0;
  occupied = false;
  private wake: () => void = () => {};
  private next = 0;

  readonly client = {
    get: async (_type: unknown, { name }: { name: string }) => this.nodes.get(name),
    create: async (_type: unknown, node: Node) => {
      await this.turn('create');
      if (this.nodes.has(node.metadata.name)) throw this.error(409, 'AlreadyExists');
      this.nodes.set(node.metadata.name, { ...node, metadata: { ...node.metadata, uid: `uid-${this.next++}` } });
      return node;
    },
    patch: async (_type: unknown, { name }: { name: string }, body: Partial<Node>) => {
      await this.turn(`patch ${body.status?.conditions?.[0]?.status ?? 'metadata'}`);
      const node = this.nodes.get(name);
      if (!node) throw this.error(404, 'NotFound');
      this.nodes.set(name, { ...node, status: { ...node.status, ...body.status } });
      return node;
    },
    delete: async (_type: unknown, { name }: { name: string }) => {
      await this.turn('delete');
      return this.nodes.delete(name);
    },
    list: async function* (this: FakeCluster) {
      yield* [...this.nodes.values()];
    }.bind(this),
  } as unknown as KubeClient;

  readonly pods = {
    whenEmpty: (_node: string, signal: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        if (!this.occupied) return resolve();
        this.wake = resolve;
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      }),
  };

  empty(): void {
    this.occupied = false;
    this.wake();
  }

  ready(name: string): string | undefined {
    return this.nodes.get(name)?.status?.conditions?.[0]?.status;
  }

  private async turn(what: string): Promise<void> {
    await this.hold;
    if (this.failing > 0) {
      this.failing--;
      throw this.error(500, 'InternalError');
    }
    this.writes.push(what);
  }

  private error(status: number, reason: string): ApiError {
    return new ApiError('call', status, { reason });
  }
}

let clock: VirtualClock;
let a: FakeCluster;
let b: FakeCluster;
let agent: NodeAgent;
beforeEach(() => {
  clock = new VirtualClock();
  a = new FakeCluster();
  b = new FakeCluster();
  agent = newAgent();
});
afterEach(() => agent.close());

function newAgent(): NodeAgent {
  return new NodeAgent({ clusters: [{ id: 'a', client: a.client, pods: a.pods }, { id: 'b', client: b.client, pods: b.pods }], clock, log: silentLog });
}

function request(clusterId: string, change: Partial<JoinRequest> = {}): JoinRequest {
  const blob = bootstrapTemplate(clusterId).replace('{{ .ClusterID }}', clusterId);
  return {
    machineId: 'm-1', providerId: 'sim:///m-1', clusterId, blob: Buffer.from(blob).toString('base64'), instanceType: 't4', zone: 'z1',
    capacityType: 'Spot', labels: { rack: 'r1' }, allocatable: { cpu: '4', memory: '8Gi' }, ...change,
  };
}

describe('joining', () => {
  it('makes a Node that is Ready 0.3 s later', async () => {
    await agent.join(request('a'));
    expect(a.nodes.get('m-1')).toMatchObject({
      metadata: { labels: { 'bigfleet.lucy.sh/machine-id': 'm-1', 'node.kubernetes.io/instance-type': 't4', 'topology.kubernetes.io/zone': 'z1', 'kubernetes.io/hostname': 'm-1', rack: 'r1' } },
      spec: { providerID: 'sim:///m-1' },
      status: { allocatable: { cpu: '4', memory: '8Gi', pods: '110' }, capacity: { cpu: '4', pods: '110' } },
    });
    await clock.advance(299);
    expect(a.ready('m-1')).toBe('False');
    await clock.advance(1);
    expect(a.ready('m-1')).toBe('True');
  });

  it('turns an id that is no object name into one', async () => {
    await agent.join(request('a', { machineId: 'Rack 1/Host_2' }));
    const [name] = [...a.nodes.keys()];
    expect(name).toMatch(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/);
    expect(a.nodes.get(name ?? '')?.metadata.labels?.['bigfleet.lucy.sh/machine-id']).toBe('Rack 1/Host_2');
  });

  it.each([
    ['a blob of another cluster', { blob: Buffer.from(bootstrapTemplate('b').replace('{{ .ClusterID }}', 'b')).toString('base64') }, 'no line "cluster: a"'],
    ['a wrong token', { blob: Buffer.from('cluster: a\njoin-token: guess\n').toString('base64') }, 'no join token of a'],
    ['an unrendered template', { blob: Buffer.from(bootstrapTemplate('a')).toString('base64') }, 'no line "cluster: a"'],
    ['an unknown cluster', { clusterId: 'x' }, 'no cluster x; there are a, b'],
  ])('never joins with %s', async (_, change, why) => {
    await expect(agent.join(request('a', change))).rejects.toThrow(why);
    await expect(agent.join(request('a', change))).rejects.toBeInstanceOf(JoinRefused);
    expect(a.nodes.size).toBe(0);
  });

  it('does nothing more when repeated, and answers a repetition only when the first has done its work', async () => {
    let release = (): void => {};
    a.hold = new Promise((resolve) => {
      release = resolve;
    });
    const answers: string[] = [];
    const first = agent.join(request('a')).then(() => answers.push('first'));
    const second = agent.join(request('a')).then(() => answers.push('second'));
    await clock.advance(10_000);
    expect(answers).toEqual([]);
    release();
    await Promise.all([first, second]);
    expect(a.writes).toEqual(['create']);
  });

  it('can be tried again when the API server failed', async () => {
    a.failing = 1;
    await expect(agent.join(request('a'))).rejects.toThrow('InternalError');
    await agent.join(request('a'));
    await clock.advance(300);
    expect(a.ready('m-1')).toBe('True');
  });

  it('reports Ready again and again until it is heard', async () => {
    await agent.join(request('a'));
    a.failing = 3;
    await clock.advance(2_000);
    expect(a.ready('m-1')).toBe('True');
  });

  it('refuses a machine that is a Node of another cluster', async () => {
    await agent.join(request('a'));
    await expect(agent.join(request('b'))).rejects.toThrow('m-1 is a Node of a; it has to leave that first');
    await agent.leave('m-1', 0);
    await agent.join(request('b'));
    expect(b.nodes.has('m-1')).toBe(true);
  });

  it('replaces what is left of its last life in the same cluster', async () => {
    await agent.join(request('a'));
    await clock.advance(300);
    await agent.leave('m-1', 5_000);
    const before = a.nodes.get('m-1')?.metadata.uid;
    await agent.join(request('a'));
    await clock.advance(300);
    expect(a.nodes.get('m-1')?.metadata.uid).not.toBe(before);
    expect(a.ready('m-1')).toBe('True');
  });
});

describe('leaving', () => {
  it('waits for the Pods and then stops the Node, whose object stays', async () => {
    await agent.join(request('a'));
    await clock.advance(300);
    a.occupied = true;
    let left = false;
    const leaving = agent.leave('m-1', 60_000).then(() => {
      left = true;
    });
    await clock.advance(59_000);
    expect([left, a.ready('m-1')]).toEqual([false, 'True']);
    a.empty();
    await leaving;
    expect(a.ready('m-1')).toBe('Unknown');
  });

  it('stops the Node with its Pods when the grace is over', async () => {
    await agent.join(request('a'));
    await clock.advance(300);
    a.occupied = true;
    const leaving = agent.leave('m-1', 5_000);
    await clock.advance(4_999);
    expect(a.ready('m-1')).toBe('True');
    await clock.advance(1);
    await leaving;
    expect(a.ready('m-1')).toBe('Unknown');
  });

  it('leaves no Node behind that appears late, and none that turns Ready late', async () => {
    let release = (): void => {};
    a.hold = new Promise((resolve) => {
      release = resolve;
    });
    const joining = agent.join(request('a'));
    const leaving = agent.leave('m-1', 0);
    await clock.advance(1_000);
    release();
    await Promise.all([joining, leaving]);
    await clock.advance(10_000);
    expect(a.ready('m-1')).toBe('Unknown');
    expect(a.writes.at(-1)).toBe('patch Unknown');
  });

  it('is done for a machine that is no Node, and for a Node that is gone', async () => {
    await agent.leave('nobody', 1_000);
    await agent.join(request('a'));
    a.nodes.clear();
    await agent.leave('m-1', 1_000);
    await agent.kill('m-1');
    expect(a.nodes.size).toBe(0);
  });
});

describe('dying', () => {
  it('is at once, also while the Pods are being waited for', async () => {
    await agent.join(request('a'));
    await clock.advance(300);
    a.occupied = true;
    const leaving = agent.leave('m-1', 60_000);
    await agent.kill('m-1');
    expect(a.ready('m-1')).toBe('Unknown');
    a.empty();
    await leaving;
    expect(a.writes.filter((write) => write === 'patch Unknown')).toHaveLength(1);
  });
});

describe('after a restart', () => {
  it('takes over its Nodes, and finishes what was starting', async () => {
    await agent.join(request('a'));
    await agent.join(request('b', { machineId: 'm-2' }));
    await clock.advance(300);
    await agent.join(request('a', { machineId: 'm-3' }));
    agent.close();
    await clock.advance(10_000);
    expect(a.ready('m-3')).toBe('False');
    agent = newAgent();
    await agent.adopt();
    await clock.advance(300);
    expect(a.ready('m-3')).toBe('True');
    await agent.leave('m-1', 0);
    await agent.kill('m-2');
    expect([a.ready('m-1'), b.ready('m-2')]).toEqual(['Unknown', 'Unknown']);
    await expect(agent.join(request('b', { machineId: 'm-3' }))).rejects.toThrow('is a Node of a');
  });
});

describe('over HTTP', () => {
  async function post(url: string, path: string, body: string): Promise<[number, string]> {
    const response = await fetch(url + path, { method: 'POST', body });
    return [response.status, await response.text()];
  }

  it('answers 204, 400 with the reason, and 500 for what may work later', async () => {
    const server = await serveNodeAgent(agent, { flag: '--listen', host: '127.0.0.1', port: 0 });
    try {
      expect(await post(server.url, '/join', JSON.stringify(request('a')))).toEqual([204, '']);
      expect(await post(server.url, '/join', JSON.stringify(request('a', { machineId: 'm-9', blob: 'aGk=' })))).toEqual([400, '{"error":"blob: the bootstrap blob has no line \\"cluster: a\\""}']);
      expect(await post(server.url, '/join', '{"machineId":7}')).toEqual([400, '{"error":"machineId: expected a text"}']);
      expect((await post(server.url, '/join', 'no JSON'))[0]).toBe(400);
      expect(await post(server.url, '/leave', '{"machineId":"m-1"}')).toEqual([400, '{"error":"graceSeconds: expected a number of seconds, 0 or more"}']);
      expect(await post(server.url, '/leave', '{"machineId":"m-1","graceSeconds":0}')).toEqual([204, '']);
      expect(await post(server.url, '/kill', '{"machineId":"m-1"}')).toEqual([204, '']);
      expect((await post(server.url, '/nothing', '{}'))[0]).toBe(404);
      a.failing = 1;
      expect((await post(server.url, '/join', JSON.stringify(request('a', { machineId: 'm-5' }))))[0]).toBe(500);
    } finally {
      await server.close();
    }
  });
});
