import { credentials } from '@grpc/grpc-js';
import { join } from 'node:path';
import { Peer } from '../../src/api/grpc.ts';
import { MACHINE_ID_LABEL } from '../../src/api/constants.ts';
import { ShardReadService } from '../../src/api/gen/bigfleet/v1alpha1/shardread.ts';
import { capacityRequestName } from '../../src/api/names.ts';
import { AvailableCapacityResource, CapacityRequestResource, MachineResource, NodeResource, PodResource, ShardResource } from '../../src/api/resources.ts';
import type { AvailableCapacity, CapacityRequest, Machine, Node, Pod, Shard } from '../../src/api/types.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createKubeClient, loadKubeConfig } from '../../src/runtime/index.ts';
import type { KubeClientHandle } from '../../src/runtime/index.ts';
import { BigfleetProcess, bigfleet, lastLines } from '../bigfleet.ts';
import { eventually, expect } from '../promise.ts';
import type { Promised } from '../promise.ts';

interface MachineAnswer { readonly sentence: string; readonly machine: { readonly clusterId: string } }
interface NeedsAnswer { readonly needs: readonly { readonly sentence: string; readonly need: { readonly profileFingerprint: string; readonly reasonText: string } }[] }
interface PodAnswer {
  readonly links: readonly { readonly link: string; readonly found: boolean; readonly text: string }[];
  readonly verdicts: readonly { readonly sentence: string; readonly need: { readonly profileFingerprint: string } }[];
  readonly machine?: { readonly id: string; readonly sentence: string };
}

function clientOf(path: string): KubeClientHandle {
  return createKubeClient({ config: loadKubeConfig({ path }), clock: systemClock, random: Math.random, fieldManager: 'e2e', userAgent: 'e2e' });
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

const same = (what: string, texts: readonly (string | undefined)[]): void =>
  expect(texts.every((text) => text !== undefined && text !== '' && text === texts[0]), `${what} says different things:\n${texts.map((text) => `  ${String(text)}`).join('\n')}`);

export const everythingSaysTheSame: Promised = {
  id: 'explain',
  promise: 'explain machine, need and pod, the objects and InspectNeeds say the same sentence of the same thing',
  controlPlane: 'embedded',
  onRealServers: ['pdb'],
  async run({ dir, log }) {
    const up = new BigfleetProcess(['up', '--keep', '--pods', '60', '--duration', '30s', '--data-dir', join(dir, 'up')]);
    const clients: KubeClientHandle[] = [];
    let peer: Peer | undefined;
    try {
      const { paths, shard } = await eventually('the banner names the kubeconfigs and the shard', 30, () => {
        const found = [...up.stderr.matchAll(/kubectl --kubeconfig (\S+)/g)].map((match) => match[1] ?? '');
        const address = /^shard\s+(127\.0\.0\.1:\d+)/m.exec(up.stderr)?.[1];
        expect(found.length > 1 && address !== undefined, lastLines(up.stderr));
        return Promise.resolve({ paths: found, shard: address ?? '' });
      });
      const [hubPath = '', ...clusterPaths] = paths;
      const path = clusterPaths[0] ?? '';
      // The banner comes before the files.
      const [hub, cluster] = await eventually('the kubeconfigs are there', 20, () => Promise.resolve([clientOf(hubPath), clientOf(path)] as const));
      clients.push(hub, cluster);
      const asked = peer = new Peer(shard, { credentials: credentials.createInsecure() });
      const ask = async <T>(...args: string[]): Promise<T> => {
        const { code, stdout, stderr } = await bigfleet(['explain', ...args, '--shard', shard, '-o', 'json'], 20);
        expect(code === 0, `explain ${args.join(' ')} ended with ${String(code)}: ${stderr}`);
        return JSON.parse(stdout) as T;
      };

      // A Pod that nothing can serve: what it waits for is the same sentence everywhere.
      const made = await eventually('a Pod can be made', 20, () =>
        cluster.create<Pod>(PodResource, {
          apiVersion: 'v1', kind: 'Pod', metadata: { name: 'too-large', namespace: 'default' },
          spec: { containers: [{ name: 'c', image: 'none', resources: { requests: { cpu: '5000' } } }] },
        } as unknown as Pod));
      const sentence = await eventually('all speak of the Pod that nothing can serve', 60, async () => {
        const pod = await ask<PodAnswer>('pod', 'default/too-large', '--kubeconfig', path);
        const fingerprint = pod.verdicts[0]?.need.profileFingerprint;
        expect(fingerprint !== undefined, `the chain is not whole yet: ${JSON.stringify(pod.links)}`);
        const { needs } = await ask<NeedsAnswer>('need', '--unmet');
        const views: string[] = [];
        for await (const { frame } of asked.serverStream(ShardReadService.inspectNeeds, { clusterId: '', limit: 0 }, { timeoutMs: 5_000 })) {
          if (frame?.$case === 'need' && frame.value.profileFingerprint === fingerprint && !frame.value.satisfied) views.push(frame.value.reasonText);
        }
        const request = await cluster.get<CapacityRequest>(CapacityRequestResource, { namespace: 'default', name: capacityRequestName(made.metadata.uid ?? '') });
        const object = await hub.get<Shard>(ShardResource, { namespace: 'bigfleet-system', name: 'shard-0' });
        const explained = needs.find(({ sentence: text }) => text === pod.verdicts[0]?.sentence);
        same('the demand of the Pod', [
          pod.verdicts[0]?.sentence, explained?.sentence, views.find((text) => text === pod.verdicts[0]?.sentence),
          object?.status?.shortfalls?.find(({ message }) => message === pod.verdicts[0]?.sentence)?.message,
          request?.status?.conditions?.find(({ type, status }) => type === 'Satisfied' && status === 'False')?.message,
        ]);
        return pod.verdicts[0]?.sentence ?? '';
      });
      log(`of the Pod that nothing can serve: ${sentence}`);

      // A machine that serves: its own object, and the Pod that runs on it.
      const served = await eventually('a machine, its object and its Pod say the same', 60, async () => {
        for (const clusterPath of clusterPaths) {
          const client = clientOf(clusterPath);
          clients.push(client);
          const [nodes, pods] = await Promise.all([collect(client.list<Node>(NodeResource)), collect(client.list<Pod>(PodResource))]);
          const running = pods.find(({ spec }) => spec.nodeName !== undefined && nodes.some(({ metadata }) => metadata.name === spec.nodeName && metadata.labels?.[MACHINE_ID_LABEL] !== undefined));
          const id = nodes.find(({ metadata }) => metadata.name === running?.spec.nodeName)?.metadata.labels?.[MACHINE_ID_LABEL];
          if (!running || id === undefined) continue;
          const pod = await ask<PodAnswer>('pod', `${running.metadata.namespace ?? ''}/${running.metadata.name}`, '--kubeconfig', clusterPath);
          const machine = await ask<MachineAnswer>('machine', id);
          const object = await hub.get<Machine>(MachineResource, { namespace: 'bigfleet-system', name: id });
          same(`machine ${id}`, [machine.sentence, pod.machine?.sentence, object?.status?.message]);
          return machine.sentence;
        }
        throw new Error('no Pod runs yet');
      });
      log(`of a machine: ${served}`);

      await eventually('the cluster shows what could still be had for what it asks', 20, async () => {
        const offers = await collect(cluster.list<AvailableCapacity>(AvailableCapacityResource));
        expect(offers.some(({ spec }) => spec.availableCount > 0), JSON.stringify(offers));
      });

      const unknown = await bigfleet(['explain', 'machine', 'nobody-knows-it', '--shard', shard], 20);
      expect(unknown.code === 1 && unknown.stderr.includes('nobody-knows-it'), `an unknown machine: exit code ${String(unknown.code)}, ${unknown.stderr}`);
      const file = join(dir, 'now.snap');
      const taken = await bigfleet(['engine', 'snapshot', '--shard', shard, '-o', file], 20);
      expect(taken.code === 0, taken.stderr);
      const planned = await bigfleet(['engine', 'plan', '-f', file], 20);
      expect(planned.code === 0 && planned.stdout.includes(sentence), `the plan of the snapshot says nothing of it:\n${lastLines(planned.stdout)}${planned.stderr}`);
      return `"${sentence}" by five ways, "${served}" by three; a live snapshot plans to the same`;
    } finally {
      peer?.close();
      for (const client of clients) await client.close();
      up.signal('SIGINT');
      await up.within(30).catch(() => undefined);
    }
  },
};
