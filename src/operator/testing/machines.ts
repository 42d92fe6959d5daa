import { MachineState } from '../../api/gen/bigfleet/v1alpha1/provider.ts';
import type { NodeStateUpdate } from '../../api/gen/bigfleet/v1alpha1/shard.ts';
import type { Node, Pod } from '../../api/types.ts';
import { MACHINE_ID_LABEL } from '../labels.ts';

export type StateName = 'SPECULATIVE' | 'CREATING' | 'IDLE' | 'CONFIGURING' | 'CONFIGURED' | 'DRAINING' | 'DELETING' | 'FAILED' | 'UNSPECIFIED';

export function frame(machineId: string, state: StateName, more: Partial<NodeStateUpdate> = {}): NodeStateUpdate {
  return {
    supersedesKey: `node:${machineId}`, machineId, clusterId: 'demo', state: MachineState[`MACHINE_STATE_${state}`], nodeName: '', providerId: '',
    lastError: '', labels: new Map([['zone', 'a']]), resources: { resources: new Map([['cpu', '4000m']]) }, taints: [], ...more,
  };
}

export function node(name: string, { machine, ready = true, ...more }: { machine?: string; ready?: boolean } & Partial<Node> = {}): Node {
  return {
    metadata: { name, ...(machine ? { labels: { [MACHINE_ID_LABEL]: machine } } : {}) },
    spec: {},
    status: { conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
    ...more,
  };
}

export function podOn(nodeName: string, name: string, meta: Partial<Pod['metadata']> = {}, phase = 'Running'): Pod {
  return { metadata: { name, namespace: 'ns', uid: `uid-${name}`, ...meta }, spec: { nodeName, containers: [{ name: 'c' }] }, status: { phase } };
}
