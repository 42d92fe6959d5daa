import { expect, it } from 'vitest';
import { ApiWrites } from './api-writes.ts';

it('writes are counted by who makes them, without Leases and without strangers', () => {
  const writes = new ApiWrites();
  const by = (userAgent: string, verb: string, resource: string, subresource?: string): void =>
    writes.take({ verb, userAgent, objectRef: { resource, ...(subresource && { subresource }) } });
  by('bigfleet-operator', 'create', 'upcomingnodes');
  for (let i = 0; i < 2; i++) by('bigfleet-operator', 'patch', 'upcomingnodes', 'status');
  by('bigfleet-shard/shard-0', 'create', 'machines');
  by('bigfleet-shard/shard-0', 'patch', 'leases');
  by('kube-scheduler/v1', 'create', 'pods', 'binding');
  writes.take({ verb: 'create', userAgent: 'bigfleet-operator' });
  expect(writes.byProcess()).toEqual({ 'bigfleet-operator': { 'patch upcomingnodes/status': 2, 'create upcomingnodes': 1 }, 'bigfleet-shard': { 'create machines': 1 } });
  expect(Object.keys(writes.byProcess()['bigfleet-operator'] ?? {})[0]).toBe('patch upcomingnodes/status');
  expect(writes.total).toBe(4);
  expect([writes.ofRequests, writes.ofPods]).toEqual([0, 0]);
  by('bigfleet-operator', 'patch', 'capacityrequests', 'status');
  by('bigfleet-unschedulable-pod-controller', 'create', 'capacityrequests');
  by('bigfleet-operator', 'create', 'events');
  by('bigfleet-shard/shard-0', 'create', 'events');
  expect([writes.ofRequests, writes.ofPods]).toEqual([2, 3]);
});
