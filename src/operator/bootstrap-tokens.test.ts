import { beforeEach, describe, expect, it } from 'vitest';
import { NodeResource, SecretResource, UpcomingNodeResource } from '../api/resources.ts';
import type { Node, Secret, UpcomingNode } from '../api/types.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { BootstrapTokens } from './bootstrap-tokens.ts';
import { FleetNodes, nodeIndexes, upcomingNodeIndexes } from './fleet-nodes.ts';
import { FakeCluster } from './testing/fake-cluster.ts';
import { node } from './testing/machines.ts';

const ANNOTATION = 'bigfleet.lucy.sh/bootstrap-token-id';

describe('bootstrap tokens', () => {
  let cluster: FakeCluster;
  let clock: VirtualClock;
  let tokens: BootstrapTokens;
  let drawn: number;

  /** A process that knows nothing but the cluster. */
  function start(): void {
    const upcoming = cluster.store<UpcomingNode>(UpcomingNodeResource, upcomingNodeIndexes);
    const nodes = cluster.store<Node>(NodeResource, nodeIndexes);
    tokens = new BootstrapTokens({
      client: cluster, clusterId: 'demo', upcoming, fleet: new FleetNodes(nodes, upcoming), clock, randomBelow: (limit) => drawn++ % limit,
    });
  }

  beforeEach(() => {
    cluster = new FakeCluster();
    cluster.store<Secret>(SecretResource);
    clock = new VirtualClock();
    drawn = 0;
    start();
  });

  type Phase = NonNullable<UpcomingNode['status']>['phase'];
  const announce = (phase: Phase = 'Registered'): UpcomingNode =>
    cluster.put<UpcomingNode>(UpcomingNodeResource, { ...un(), metadata: { name: 'un-m-1', uid: 'uid-un', ...un()?.metadata }, spec: { resources: {} }, status: { phase } });
  const un = (): UpcomingNode | undefined => cluster.now<UpcomingNode>(UpcomingNodeResource, 'un-m-1');
  const secret = (id: string): Secret | undefined => cluster.now<Secret>(SecretResource, `kube-system/bootstrap-token-${id}`);
  const writes = (): string[] => cluster.writes.splice(0).map(({ verb, kind, name }) => `${verb} ${kind} ${name}`);

  it('are what Kubernetes takes for one, last as long as is said, and belong to the UpcomingNode of the machine', async () => {
    announce();
    const token = await tokens.mint('m-1', 1_800);
    expect(token).toBe('abcdef.ghijklmnopqrstuv');
    const { metadata, type, data = {} } = secret('abcdef') ?? {};
    expect([type, metadata?.ownerReferences]).toEqual(['bootstrap.kubernetes.io/token', [{ apiVersion: 'bigfleet.lucy.sh/v1alpha1', kind: 'UpcomingNode', name: 'un-m-1', uid: 'uid-un' }]]);
    expect(Object.fromEntries(Object.entries(data).map(([key, text]) => [key, Buffer.from(text, 'base64').toString()]))).toEqual({
      'token-id': 'abcdef', 'token-secret': 'ghijklmnopqrstuv', expiration: '2026-01-01T00:30:00Z', 'usage-bootstrap-authentication': 'true', 'usage-bootstrap-signing': 'true',
      'auth-extra-groups': 'system:bootstrappers:kubeadm:default-node-token', description: 'BigFleet: machine m-1 joins cluster demo',
    });
    // What exists is known before it exists; the secret part stands nowhere else.
    expect(writes()).toEqual(['patch UpcomingNode un-m-1', 'create Secret bootstrap-token-abcdef']);
    expect(un()?.metadata.annotations).toEqual({ [ANNOTATION]: 'abcdef' });
    expect(JSON.stringify(un())).not.toContain('ghijkl');
  });

  it('are made anew when the shard asks again, and the one before is void', async () => {
    announce();
    const [first, second] = [await tokens.mint('m-1', 60), await tokens.mint('m-1', 60)];
    expect(second).not.toBe(first);
    expect([secret(first.slice(0, 6)), secret(second.slice(0, 6))?.type]).toEqual([undefined, 'bootstrap.kubernetes.io/token']);
  });

  it.each<[string, () => void]>([
    ['its machine has joined', () => void cluster.put<Node>(NodeResource, node('n', { machine: 'm-1', ready: false }))],
    ['its machine drains', () => void announce('Draining')],
    ['its machine has failed', () => void announce('Failed')],
  ])('go when %s, also if the process was another one then', async (_, happens) => {
    announce();
    await tokens.mint('m-1', 60);
    await tokens.reconcile('m-1');
    announce('Ready'); // told how to join
    await tokens.reconcile('m-1');
    expect(secret('abcdef')).toBeDefined();
    happens();
    await tokens.reconcile('m-1');
    expect([secret('abcdef'), un()?.metadata.annotations?.[ANNOTATION]]).toEqual([undefined, undefined]);
    writes();
    await tokens.reconcile('m-1');
    expect(writes()).toEqual([]);
  });

  it('of a process that died in between leave nothing behind', async () => {
    announce();
    cluster.intercept = ({ kind }) => {
      if (kind === 'Secret') throw new Error('gone');
    };
    await expect(tokens.mint('m-1', 60)).rejects.toThrow('gone');
    cluster.intercept = () => {};
    announce('Failed');
    await tokens.reconcile('m-1');
    expect(un()?.metadata.annotations?.[ANNOTATION]).toBeUndefined();
  });

  it('name no other Secret, whatever stands at the UpcomingNode', async () => {
    cluster.put<UpcomingNode>(UpcomingNodeResource, { metadata: { name: 'un-m-1', uid: 'u', annotations: { [ANNOTATION]: '../x' } }, spec: { resources: {} }, status: { phase: 'Failed' } });
    await tokens.reconcile('m-1');
    expect(writes()).toEqual([]);
  });

  it('wait for the UpcomingNode that is to own them, for a while', async () => {
    const waiting = tokens.mint('m-1', 60);
    await clock.advance(300);
    expect(writes()).toEqual([]);
    announce();
    await clock.advance(100);
    expect(await waiting).toBe('abcdef.ghijklmnopqrstuv');
    const refused = expect(tokens.mint('m-2', 60)).rejects.toThrow(/m-2 has no UpcomingNode yet/);
    await clock.advance(6_000);
    await refused;
    await expect(tokens.mint('', 60)).rejects.toThrow(/does not say which machine/);
  });
});
