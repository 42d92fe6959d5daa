import { expect, it } from 'vitest';
import { hookDefaults } from './hook.ts';
import { hookEnvironment } from './hook-environment.ts';
import type { StaticMachine } from './inventory.ts';

function machine(labels: Readonly<Record<string, string>>): StaticMachine {
  const host = { provider: 'static', ref: 'static:///h1' };
  const instance = { id: 'h1', host, instanceType: 'nuc', zone: 'rack-1', capacityType: 'BareMetal', pricePerHour: 0, interruptionProbability: 0, resources: { cpu: '1' }, labels, state: 'Idle' } as const;
  return { instance, host, address: 'h1', group: '', variables: {}, hooks: {} };
}

it('labels of an inventory add to what a Node is known by, and never replace it', () => {
  const labels = { disk: 'fast', 'bigfleet.lucy.sh/machine-id': 'h2', 'node.kubernetes.io/instance-type': 'other', 'topology.kubernetes.io/zone': 'elsewhere' };
  const environment = hookEnvironment('configure', { ...hookDefaults.configure, run: ['true'] }, machine(labels), {}, 1);
  expect(environment['BIGFLEET_NODE_LABELS']).toBe('bigfleet.lucy.sh/machine-id=h1,node.kubernetes.io/instance-type=nuc,topology.kubernetes.io/zone=rack-1,disk=fast');
});
