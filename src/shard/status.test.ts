import { describe, expect, it } from 'vitest';
import { kstatusOf } from '../api/testing/kstatus.ts';
import type { CapacityProvider, Condition } from '../api/types.ts';
import { amounts, need, requirement } from '../engine/testing/builders.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';
import type { Plan } from '../engine/types.ts';
import type { ProviderStatus } from '../reconcilers/provider/poller.ts';
import { Inventory } from './inventory.ts';
import type { Unanswered } from './provider/circuit.ts';
import type { SupplyTally } from './supply-tally.ts';
import { rowKey } from './source-rows.ts';
import { providerStatus, shardStatus } from './status.ts';
import type { ShardFacts } from './status.ts';
import { seen } from './testing/machines.ts';
import { verdict } from './testing/needs.ts';
import { byState, plan } from './testing/plans.ts';

const AT = Date.UTC(2026, 4, 6, 7, 8, 9, 999);
const facts = (fields: Partial<ShardFacts> = {}): ShardFacts => ({
  generation: 3, epoch: 12n, holder: 'host_1', cycle: 45, at: AT, sessions: 2, withheld: 0, leaseProven: true, supplyTrusted: true, fenced: '', objectsMode: 'NonSpeculative', previous: [], ...fields,
});
const unmet = (priority: number) => verdict(need({ cluster: 'east', priority }), { satisfied: false, reason: 'SUPPLY_EXHAUSTED', deficit: amounts({ cpu: 2 }), arrival: AT - 5_000 });
const statusOf = (conditions: readonly Condition[] | undefined): Record<string, string> => Object.fromEntries((conditions ?? []).map((c) => [c.type, c.status]));

describe('the status of a Shard', () => {
  it('counts machines, needs and money of the plan', () => {
    const status = shardStatus(
      plan([verdict(), unmet(1)], { stats: { machines: 9, byState: byState({ Idle: 2, Configuring: 3, Configured: 4 }), microUsdPerHour: 1_234_567 } }),
      facts({ withheld: 6 }),
    );
    expect(status).toMatchObject({
      epoch: 12, holder: 'host_1', cycle: 45, lastCycleTime: '2026-05-06T07:08:09Z', totalMachines: 9, boundMachines: 7, sessions: 2,
      machines: { Idle: 2, Configuring: 3, Configured: 4, Failed: 0 }, needs: { rows: 2, satisfied: 1, unmet: 1 },
      microUsdPerHour: 1_234_567, dollarsPerHour: '1.23', pausedActions: 6,
    });
  });

  it('lists what is unmet, with sentence and reason, and nothing that is met', () => {
    const wanted = need({ cluster: 'east', priority: 7, requirements: [requirement('zone', 'In', 'a')] });
    const { shortfalls } = shardStatus(plan([verdict(), { ...unmet(7), need: wanted }]), facts());
    expect(shortfalls).toEqual([{
      clusterId: 'east', requirements: [{ key: 'zone', operator: 'In', values: ['a'] }], priority: 7, deficit: { cpu: '2' },
      reason: 'SUPPLY_EXHAUSTED', message: expect.stringContaining('every machine that matches is in use already') as string, sinceTime: '2026-05-06T07:08:04Z',
    }]);
  });

  it('says what is in the way of rows, also of those that the plan takes for met, in the words that their operator hears', () => {
    const counted = need({ cluster: 'east', priority: 9 });
    const lacking = need({ cluster: 'east', priority: 8 });
    const trouble = { words: 'disk broken', isPresent: false, wasRefused: true, onTheWay: 0 };
    const verdicts = [verdict(counted, { inFlight: 1 }), { ...unmet(8), need: lacking }, verdict(need({ cluster: 'east', priority: 7 }), { inFlight: 1 })];
    const { shortfalls, needs } = shardStatus(plan(verdicts), facts({ troubles: new Map([[rowKey(counted), trouble], [rowKey(lacking), trouble]]) }));
    const text = 'A machine chosen for it does not come: disk broken.';
    expect(shortfalls?.map((s) => [s.priority, s.reason, s.message])).toEqual([[9, 'MachineDoesNotCome', text], [8, 'MachineDoesNotCome', `${text} Lacks cpu 2.`]]);
    expect(needs).toEqual({ rows: 3, satisfied: 1, unmet: 2 });
    // What the plan does not miss has no deficit, and has not been missed for as long as it has been asked for.
    expect(shortfalls?.map((s) => [s.deficit, s.sinceTime])).toEqual([[{}, '2026-05-06T07:08:09Z'], [{ cpu: '2' }, '2026-05-06T07:08:04Z']]);
  });

  it('says since when it has been unmet, where that is known', () => {
    const verdicts = [unmet(2), unmet(1)];
    const { shortfalls } = shardStatus(plan(verdicts), facts({ unmetSince: (v) => (v === verdicts[0] ? AT - 1_000 : undefined) }));
    expect(shortfalls?.map((s) => s.sinceTime)).toEqual(['2026-05-06T07:08:08Z', '2026-05-06T07:08:04Z']);
  });

  it('lists equal priorities in the order in which they choose', () => {
    const verdicts = Array.from({ length: 30 }, (_, i) => ({ ...unmet(i % 2), deficit: amounts({ cpu: i + 1 }) }));
    const { shortfalls } = shardStatus(plan(verdicts), facts());
    expect(shortfalls?.map((s) => Number(s.deficit?.['cpu']))).toEqual([...Array.from({ length: 15 }, (_, i) => 2 * i + 2), 1, 3, 5, 7, 9]);
  });

  it('lists at most 20 shortfalls, highest priority first', () => {
    const { shortfalls, needs } = shardStatus(plan(Array.from({ length: 30 }, (_, i) => unmet((i * 7) % 30))), facts());
    expect(shortfalls?.map((s) => s.priority)).toEqual(Array.from({ length: 20 }, (_, i) => 29 - i));
    expect(needs?.unmet).toBe(30);
  });

  it.each<[string, Partial<ShardFacts>, Record<string, string>]>([
    ['all is well', {}, { Ready: 'True', Stalled: 'False', Fenced: 'False', LeaseProven: 'True', SupplyTrusted: 'True' }],
    ['the supply is in doubt', { supplyTrusted: false }, { Ready: 'False', Stalled: 'False', SupplyTrusted: 'False' }],
    ['one of several providers is set aside', { supplyTrusted: false, isSomeTrusted: true, setAside: new Set(['metal']) }, { Ready: 'True', Stalled: 'False', SupplyTrusted: 'False' }],
    ['machines that served are not seen yet', { supplyTrusted: false, isSomeTrusted: true, setAside: new Set(['metal']), unseen: new Map([['metal', 4]]) }, { Ready: 'True', Stalled: 'False', SupplyTrusted: 'False' }],
    ['the Lease is unproven', { leaseProven: false }, { Ready: 'True', LeaseProven: 'False' }],
    ['a newer epoch was seen', { fenced: 'machine m: epoch 4 < 5' }, { Ready: 'False', Stalled: 'True', Fenced: 'True' }],
  ])('says so when %s', (_name, fields, expected) => {
    const status = shardStatus(plan(), facts(fields));
    expect(statusOf(status.conditions)).toMatchObject(expected);
    expect(status.conditions?.every((c) => c.reason !== '' && c.observedGeneration === 3)).toBe(true);
    if (fields.unseen) expect(status.conditions?.find((c) => c.type === 'SupplyTrusted')).toMatchObject({ reason: 'BoundMachinesUnseen', message: 'nothing is acquired: 4 machines of provider metal that served have not been listed since this shard started' });
    else if (fields.setAside) expect(status.conditions?.find((c) => c.type === 'SupplyTrusted')?.message).toBe('nothing is taken away or chosen of what these providers have until they list their machines again: metal');
    if (fields.fenced) expect(status.conditions?.find((c) => c.type === 'Fenced')?.message).toBe(fields.fenced);
  });

  it('is reconciling until it can decide, and not while it acts: who waits for it would wait for ever', () => {
    const action = { kind: 'Delete', machineId: 'm', cluster: '', graceSeconds: 0, preemptorPriority: 0, reason: { code: 'Available' } } as const;
    const waited = (of: Plan, more: Partial<ShardFacts> = {}, generation = 3) => kstatusOf({ metadata: { generation }, status: shardStatus(of, facts(more)) });
    expect([waited(plan()), waited(plan([], { actions: [action] }))]).toEqual(['Current', 'Current']);
    expect([waited(plan(), { supplyTrusted: false }), waited(plan(), {}, 4)]).toEqual(['InProgress', 'InProgress']);
    expect(waited(plan(), { fenced: 'machine m: epoch 4 < 5' })).toBe('Failed');
  });

  it('keeps the time of a condition until its status turns', () => {
    const first = shardStatus(plan(), facts({ at: AT })).conditions!;
    const second = shardStatus(plan(), facts({ at: AT + 60_000, previous: first, supplyTrusted: false })).conditions!;
    const at = (conditions: readonly Condition[], type: string): string | undefined => conditions.find((c) => c.type === type)?.lastTransitionTime;
    expect(at(second, 'LeaseProven')).toBe('2026-05-06T07:08:09Z');
    expect(at(second, 'SupplyTrusted')).toBe('2026-05-06T07:09:09Z');
    const third = shardStatus(plan(), facts({ at: AT + 120_000, previous: second, supplyTrusted: false })).conditions!;
    expect(at(third, 'SupplyTrusted')).toBe('2026-05-06T07:09:09Z');
  });
});

describe('the status of a CapacityProvider', () => {
  it('says which calls are not answered, and when the next one is tried', () => {
    const said = (silent?: readonly Unanswered[]) => conditionOf(providerStatus(new Inventory(new VirtualClock()).supplyOf(''), listed(), metal, AT, { ...(silent && { silent }) }), 'CallsAnswered');
    expect([said(), said([])?.status]).toEqual([undefined, 'True']);
    expect(said([{ kind: 'Create', inARow: 7, words: 'create: deadline exceeded', until: AT }])).toMatchObject({
      status: 'False', reason: 'Unanswered', message: '7 calls of Create in a row brought no answer (create: deadline exceeded): one at a time is tried, the next not before 2026-05-06T07:08:09Z.',
    });
  });

  const metal: CapacityProvider = { metadata: { name: 'metal', namespace: 'fleet', generation: 4 }, spec: { address: 'metal:1', shardRef: 'shard-0' } };
  const quarantine = { since: AT, missing: ['a'], unnamed: 0, known: 20, token: '4-abc' };
  const conditionOf = (status: CapacityProvider['status'], type: string): Condition | undefined => status?.conditions?.find((c) => c.type === type);
  const listed = (fields: Partial<ProviderStatus> = {}): ProviderStatus => ({ trusted: true, lastListAt: AT, lastFullListAt: AT - 60_000, rejected: 2, lastError: '', quarantine: undefined, ...fields });

  function supplyOf(...machines: ReturnType<typeof seen>[]): SupplyTally {
    const inventory = new Inventory(new VirtualClock());
    for (const machine of machines) inventory.observe(machine, 0, 'metal');
    return inventory.supplyOf('metal');
  }

  it('counts Speculative slots as offers by kind, with the range of their prices', () => {
    const supply = supplyOf(
      seen('a', 'Speculative', { priceMicroUsdPerHour: 5 }), seen('b', 'Speculative', { priceMicroUsdPerHour: 3 }), seen('c', 'Speculative', { priceMicroUsdPerHour: 4 }),
      seen('d', 'Speculative', { zone: 'zone-b' }), seen('e', 'Speculative', { capacityType: 'Spot' }), seen('f', 'Idle'),
    );
    const status = providerStatus(supply, listed(), metal, AT);
    expect(status.offers).toEqual([
      { instanceType: 'c8', zone: 'zone-a', capacityType: 'OnDemand', available: 3, priceMicroUsdPerHour: { min: 3, max: 5 } },
      { instanceType: 'c8', zone: 'zone-a', capacityType: 'Spot', available: 1, priceMicroUsdPerHour: { min: 400_000, max: 400_000 } },
      { instanceType: 'c8', zone: 'zone-b', capacityType: 'OnDemand', available: 1, priceMicroUsdPerHour: { min: 400_000, max: 400_000 } },
    ]);
    expect(status).toMatchObject({ machines: { Speculative: 5, Idle: 1 }, lastListTime: '2026-05-06T07:08:09Z', lastFullListTime: '2026-05-06T07:07:09Z', rejected: 2 });
  });

  it('lists at most 50 offers', () => {
    const slots = Array.from({ length: 60 }, (_, i) => seen(`m${i}`, 'Speculative', { instanceType: `type-${i}` }));
    expect(providerStatus(supplyOf(...slots), listed(), metal, AT).offers).toHaveLength(50);
  });

  it.each<[string, Partial<ProviderStatus>, Record<string, string>]>([
    ['answers', {}, { Ready: 'True', Reconciling: 'False', Stalled: 'False', Reachable: 'True', InventoryTrusted: 'True' }],
    ['was never reached', { trusted: false, lastListAt: 0, lastFullListAt: 0 }, { Ready: 'False', Reconciling: 'True', Stalled: 'False', Reachable: 'False', InventoryTrusted: 'False' }],
    ['stopped answering a moment ago', { lastError: 'refused' }, { Ready: 'False', Reconciling: 'True', Stalled: 'False', Reachable: 'False', InventoryTrusted: 'True' }],
    ['lists too little', { trusted: false, quarantine }, { Ready: 'False', Reconciling: 'False', Stalled: 'True', Reachable: 'True', InventoryTrusted: 'False' }],
  ])('says so when the provider %s', (_name, fields, expected) => {
    const status = providerStatus(supplyOf(), listed(fields), metal, AT, { address: 'metal:2' });
    expect(statusOf(status.conditions)).toEqual(expected);
    if (fields.quarantine) expect(conditionOf(status, 'InventoryTrusted')?.reason).toBe('Quarantined');
    if (fields.lastError) expect(status.conditions?.find((c) => c.type === 'Reachable')?.message).toBe('metal:2: refused');
    if (!fields.lastError && fields.lastListAt !== 0) expect(conditionOf(status, 'Reachable')?.message).toBe('It answers at metal:2.');
    if (fields.lastListAt === 0) expect(status).not.toHaveProperty('lastListTime');
    expect(status.conditions?.map((c) => c.observedGeneration)).toEqual([4, 4, 4, 4, 4]);
    expect(status.observedGeneration).toBe(4);
  });

  it('says of a quarantine what is missing and the one command that confirms it', () => {
    const message = (missing: string[], object = metal): string | undefined =>
      conditionOf(providerStatus(supplyOf(), listed({ trusted: false, quarantine: { ...quarantine, missing } }), object, AT), 'InventoryTrusted')?.message;
    expect(message(['a', 'b', 'c', 'd'])).toBe(
      'The last List lacks 4 of 20 known machines (a, b, c, ...): nothing is removed or taken away. If they are gone for good, confirm it: ' +
      'kubectl annotate --overwrite -n fleet capacityprovider metal control.bigfleet.lucy.sh/confirm-removal=4-abc',
    );
    expect(message(['a', 'b', 'c'])).toContain('(a, b, c)');
    expect(conditionOf(providerStatus(supplyOf(), listed(), metal, AT), 'InventoryTrusted')?.message).toBe('');
  });

  it('is not ready when TLS is asked for, which there is not, whatever was heard of it before', () => {
    const status = providerStatus(supplyOf(), listed(), metal, AT, { obstacle: { reason: 'TLSNotReady', message: 'spec.tls names Secret keys: it has not been read yet.' } });
    for (const type of ['Ready', 'Reachable']) {
      expect(conditionOf(status, type)).toMatchObject({ status: 'False', reason: 'TLSNotReady', message: expect.stringContaining('Secret keys') as string });
    }
  });

  it('says that it is fenced, and which ids another provider had first', () => {
    const fenced = providerStatus(supplyOf(), listed(), metal, AT, { fenced: 'machine m: newer' });
    expect(conditionOf(fenced, 'Ready')).toMatchObject({ status: 'False', reason: 'Fenced', message: 'machine m: newer' });
    const disputed = (...ids: string[]): Condition | undefined => conditionOf(providerStatus(supplyOf(), listed(), metal, AT, { disputed: new Set(ids) }), 'MachineIdsUnique');
    expect(disputed()).toBeUndefined();
    expect(disputed('m')).toMatchObject({ status: 'False', reason: 'ClaimedByAnother', message: expect.stringContaining('a machine under an id that another provider of this shard had first (m)') as string });
    expect(disputed('d', 'c', 'b', 'a')?.message).toContain('4 machines under an id that another provider of this shard had first (a, b, c, ...)');
  });

  it('keeps the time of a condition until its status turns', () => {
    const first = providerStatus(supplyOf(), listed(), metal, AT);
    const second = providerStatus(supplyOf(), listed({ trusted: false }), { ...metal, status: first }, AT + 60_000);
    expect(['Ready', 'Reachable'].map((type) => conditionOf(second, type)?.lastTransitionTime)).toEqual(['2026-05-06T07:09:09Z', '2026-05-06T07:08:09Z']);
  });
});
