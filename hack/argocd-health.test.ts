import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LuaFactory } from 'wasmoon';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { withConditions } from '../src/api/conditions.ts';
import type { CapacityProvider, CapacityRequest } from '../src/api/types.ts';
import { VirtualClock } from '../src/lib/virtual-clock.ts';
import { nextStatus } from '../src/operator/request-status.ts';
import type { RequestFacts } from '../src/operator/request-status.ts';
import { frame, node } from '../src/operator/testing/machines.ts';
import { statusOf } from '../src/operator/upcoming-node.ts';
import type { StatusInput } from '../src/operator/upcoming-node.ts';
import type { ProviderStatus } from '../src/reconcilers/provider/poller.ts';
import { Inventory } from '../src/shard/inventory.ts';
import { desiredMachine } from '../src/shard/machine-object.ts';
import type { MachineRecord } from '../src/shard/record.ts';
import { providerStatus, shardStatus } from '../src/shard/status.ts';
import type { ProviderFacts, ShardFacts } from '../src/shard/status.ts';
import { seen, toEast } from '../src/shard/testing/machines.ts';
import { plan } from '../src/shard/testing/plans.ts';

const root = join(import.meta.dirname, '..');
const { data } = parse(readFileSync(join(root, 'config/argocd/health.yaml'), 'utf8')) as { data: Record<string, string> };
const PREFIX = 'resource.customizations.health.';
const AT = Date.UTC(2026, 4, 6);

type Health = 'Healthy' | 'Progressing' | 'Degraded' | 'Suspended';
interface Case {
  readonly kind: string;
  readonly of: string;
  readonly object: object;
  readonly health: Health;
  /** Words of its message. */
  readonly says: string;
}

/** Each status is written by the code that writes it in a cluster. */
function shard(of: string, health: Health, says: string, facts: Partial<ShardFacts> = {}, mode = 'Active', seenGeneration = 3): Case {
  const status = shardStatus(plan(), {
    generation: seenGeneration, epoch: 1n, holder: 'h', cycle: 1, at: AT, sessions: 0, withheld: 0, leaseProven: true, supplyTrusted: true, fenced: '', objectsMode: 'NonSpeculative', previous: [], ...facts,
  });
  return { kind: 'control.bigfleet.lucy.sh_Shard', of, health, says, object: { metadata: { generation: 3 }, spec: { mode }, status } };
}

function provider(of: string, health: Health, says: string, list: Partial<ProviderStatus> = {}, facts: ProviderFacts = {}): Case {
  const object: CapacityProvider = { metadata: { name: 'metal', namespace: 'fleet', generation: 2 }, spec: { address: 'metal:1', shardRef: 'shard-0' } };
  const listed: ProviderStatus = { trusted: true, lastListAt: AT, lastFullListAt: AT, rejected: 0, lastError: '', quarantine: undefined, ...list };
  return { kind: 'control.bigfleet.lucy.sh_CapacityProvider', of, health, says, object: { ...object, status: providerStatus(new Inventory(new VirtualClock()).supplyOf('metal'), listed, object, AT, facts) } };
}

function machine(of: string, health: Health, says: string, record: Partial<MachineRecord>, spec: object = {}): Case {
  const whole: MachineRecord = {
    seen: seen('m', 'Idle'), provider: 'metal', intent: undefined, assigned: undefined, operation: undefined, why: undefined, since: AT, stuck: false, obstacle: '', coolUntil: 0, busy: false, ...record,
  } as MachineRecord;
  const object = desiredMachine(whole, { namespace: 'fleet', shard: 'shard-0' }, 4);
  return { kind: 'control.bigfleet.lucy.sh_Machine', of, health, says, object: { ...object, metadata: { ...object.metadata, generation: 4 }, spec: { ...object.spec, ...spec } } };
}

function upcoming(of: string, health: Health, says: string, input: Partial<StatusInput>): Case {
  const status = statusOf({ current: undefined, generation: 1, phase: 'Launched', frame: undefined, node: undefined, nowMs: AT, ...input });
  return { kind: 'bigfleet.lucy.sh_UpcomingNode', of, health, says, object: { metadata: { generation: 1 }, spec: { resources: {} }, status } };
}

function request(of: string, health: Health, says: string, facts: Partial<RequestFacts>): Case {
  const object: CapacityRequest = { metadata: { name: 'r', generation: 1 }, spec: { resources: {}, priority: 0 } };
  const nothing: RequestFacts = { rejection: undefined, acknowledgedAtMs: undefined, settled: false, bound: false, verdict: undefined };
  return { kind: 'bigfleet.lucy.sh_CapacityRequest', of, health, says, object: { ...object, ...nextStatus(object, { ...nothing, ...facts }, AT) } };
}

const bind = { kind: 'bind', to: toEast, requirements: [], reason: 'demand of east', decidedAt: AT, configureSent: false } as const;
const quarantine = { since: AT, missing: ['a'], unnamed: 0, known: 20, token: '4-abc' };
const verdict = { reason: 'NoMatchingSupply', text: 'No machine fits.', inFlight: 0, lasting: true, steady: true, steadyText: true };

const cases: readonly Case[] = [
  { kind: 'control.bigfleet.lucy.sh_Shard', of: 'nobody has seen', health: 'Progressing', says: 'No shard has looked', object: { metadata: { generation: 1 }, spec: {}, status: { observedGeneration: -1 } } },
  { kind: 'control.bigfleet.lucy.sh_Shard', of: 'has no conditions', health: 'Progressing', says: 'not decided yet', object: { metadata: { generation: 1 }, spec: {}, status: { observedGeneration: 1 } } },
  shard('decides', 'Healthy', 'It decides.'),
  shard('lacks one of its providers', 'Healthy', 'without metal', { supplyTrusted: false, isSomeTrusted: true, setAside: new Set(['metal']) }),
  shard('was changed just now', 'Progressing', 'this version', {}, 'Active', 2),
  shard('is paused', 'Suspended', 'Paused', {}, 'Paused'),
  shard('tries dry', 'Suspended', 'Dry run', {}, 'DryRun'),
  shard('has no List, dry or not', 'Degraded', 'nothing is taken away', { supplyTrusted: false }, 'DryRun'),
  shard('has a successor', 'Degraded', 'epoch 4 < 5', { fenced: 'machine m: epoch 4 < 5' }),
  shard('cannot renew its Lease', 'Degraded', 'until the Lease is renewed', { leaseProven: false }),
  { kind: 'control.bigfleet.lucy.sh_CapacityProvider', of: 'nobody has asked', health: 'Progressing', says: 'No shard has asked', object: { metadata: { generation: 1 }, spec: {}, status: { observedGeneration: -1 } } },
  { kind: 'control.bigfleet.lucy.sh_CapacityProvider', of: 'has no conditions', health: 'Progressing', says: 'not listed its machines yet', object: { metadata: { generation: 1 }, spec: {}, status: { observedGeneration: 1 } } },
  provider('lists, and has no more of something', 'Healthy', 'c8 is not asked for', {}, { resting: [{ kind: 'OutOfStock', offer: 'c8', words: 'none left', until: AT }] }),
  provider('lists', 'Healthy', 'It answers at metal:1.'),
  provider('is away', 'Degraded', 'refused', { lastError: 'refused' }),
  provider('lists too little', 'Degraded', 'If they are gone for good, confirm it', { trusted: false, quarantine }),
  provider('has seen a newer epoch', 'Degraded', 'epoch 4 < 5', {}, { fenced: 'machine m: epoch 4 < 5' }),
  provider('does not answer Create', 'Degraded', '7 calls of Create', {}, { silent: [{ kind: 'Create', inARow: 7, words: 'deadline exceeded', until: AT }] }),
  provider('lists machines of another', 'Degraded', 'Ids must be unique', {}, { disputed: new Set(['m-1']) }),
  machine('nobody wants', 'Healthy', '', {}),
  machine('serves', 'Healthy', '', { seen: seen('m', 'Configured') }),
  machine('is to serve', 'Progressing', '', { intent: bind }),
  machine('serves, and is wanted back', 'Progressing', '', { seen: seen('m', 'Configured'), intent: { kind: 'unbind', reason: 'excess', graceSeconds: 1, preemptorPriority: 0, decidedAt: AT } }),
  machine('drains', 'Progressing', '', { seen: seen('m', 'Draining') }),
  machine('is an offer', 'Progressing', '', { seen: seen('m', 'Speculative') }),
  machine('failed', 'Degraded', 'disk broken', { seen: seen('m', 'Failed', { lastError: 'disk broken' }) }),
  machine('is stuck', 'Degraded', 'stuck', { seen: seen('m', 'Creating'), stuck: true }),
  machine('is held', 'Suspended', 'Held by a person', {}, { hold: true }),
  { kind: 'control.bigfleet.lucy.sh_Machine', of: 'was made by hand', health: 'Progressing', says: 'No shard', object: { metadata: { generation: 1 }, spec: {} } },
  upcoming('is on its way', 'Progressing', 'Launched', {}),
  upcoming('was changed just now', 'Progressing', 'this version', { phase: 'Ready', generation: 0, node: node('a', { machine: 'm' }) as StatusInput['node'] }),
  upcoming('joined', 'Healthy', 'Its Node is ready', { phase: 'Ready', node: node('a', { machine: 'm' }) as StatusInput['node'] }),
  upcoming('joined, and is not ready', 'Progressing', 'Ready', { phase: 'Ready', node: node('a', { machine: 'm', ready: false }) as StatusInput['node'] }),
  upcoming('drains', 'Progressing', 'budget web', { phase: 'Draining', error: 'budget web', node: node('a', { machine: 'm' }) as StatusInput['node'] }),
  upcoming('failed', 'Degraded', 'no disk', { phase: 'Failed', frame: frame('m', 'FAILED', { lastError: 'no disk' }) }),
  { kind: 'bigfleet.lucy.sh_CapacityRequest', of: 'nobody has read', health: 'Progressing', says: 'waits', object: { metadata: { generation: 1 }, spec: {} } },
  request('is satisfied', 'Healthy', 'Capacity is assigned', { acknowledgedAtMs: AT, verdict: { ...verdict, satisfied: true } }),
  { kind: 'bigfleet.lucy.sh_CapacityRequest', of: 'was changed just now', health: 'Progressing', says: 'this version', object: { metadata: { generation: 2 }, spec: {}, status: { observedGeneration: 1, conditions: [{ type: 'Satisfied', status: 'True' }] } } },
  request('lacks supply', 'Progressing', 'No machine fits.', { verdict: { ...verdict, satisfied: false } }),
  request('does not fit', 'Degraded', '0/3 nodes', { acknowledgedAtMs: AT, verdict: { ...verdict, satisfied: true }, unfitting: '0/3 nodes are available' }),
  request('cannot be expressed', 'Degraded', 'spec.resources: x', { rejection: { field: 'spec.resources', problem: 'x' } }),
  { kind: 'bigfleet.lucy.sh_AvailableCapacity', of: 'was made just now', health: 'Progressing', says: 'just been made', object: { metadata: { generation: 1 }, spec: {} } },
  {
    kind: 'bigfleet.lucy.sh_AvailableCapacity', of: 'is kept', health: 'Healthy', says: 'High',
    object: { metadata: { generation: 9 }, spec: { availability: 'High' }, status: { conditions: withConditions([], [{ type: 'Ready', status: 'True', reason: 'Offered', message: '' }], '2026-05-06T00:00:00Z') } },
  },
];

describe('health checks for Argo CD', () => {
  const factory = new LuaFactory();
  let lua: Awaited<ReturnType<LuaFactory['createEngine']>>;
  beforeAll(async () => {
    lua = await factory.createEngine({ enableProxy: false });
    // Argo CD has these no more than the sandbox that it runs checks in.
    await lua.doString('string, math, io, os, debug, coroutine, utf8, package, require, dofile, loadfile = nil');
  });
  afterAll(() => lua.global.close());

  function judge(script: string, object: object): { status: string; message: string } {
    lua.global.set('obj', JSON.parse(JSON.stringify(object)));
    return lua.doStringSync(script) as { status: string; message: string };
  }

  function holds(script: string, { object, health, says }: Case): boolean {
    try {
      const said = judge(script, object);
      return said.status === health && said.message.includes(says);
    } catch {
      return false;
    }
  }

  it.each(cases.map((each) => [each.kind, each.of, each] as const))('%s that %s', (kind, _of, { object, health, says }) => {
    const said = judge(data[PREFIX + kind]!, object);
    expect(said.status).toBe(health);
    expect(said.message).toContain(says);
  });

  it('are there for every kind', () => {
    const kinds = readdirSync(join(root, 'config/crd/bases')).map((file) => (parse(readFileSync(join(root, 'config/crd/bases', file), 'utf8')) as { spec: { group: string; names: { kind: string } } }).spec);
    expect(Object.keys(data).sort()).toEqual(kinds.map(({ group, names }) => `${PREFIX}${group}_${names.kind}`).sort());
  });

  it('are tried in every branch: a line that is taken away, or says another health, is noticed', () => {
    const unnoticed: string[] = [];
    for (const [key, script] of Object.entries(data)) {
      const lines = script.split('\n');
      const own = cases.filter(({ kind }) => PREFIX + kind === key);
      for (const [i, line] of lines.entries()) {
        const mutants = [line.replace(/"(Healthy|Progressing|Degraded|Suspended)"/, '"Missing"'), ...(/^if .* end$/.test(line) ? [''] : []), line.replace(/== "(Paused|DryRun)"/, '== "Other"')];
        for (const mutant of mutants.filter((text) => text !== line)) {
          const broken = lines.with(i, mutant).join('\n');
          if (own.every((each) => holds(broken, each))) unnoticed.push(`${key}: ${line}`);
        }
      }
    }
    expect(unnoticed).toEqual([]);
  });
});
