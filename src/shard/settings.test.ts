import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { createEngine } from '../engine/engine.ts';
import { callDeadlineMs, DEFAULT_RECLAIM_GRACE_SECONDS, pollerSettingsOf, RememberedSpec, settingsOf } from './settings.ts';

interface Schema {
  default?: unknown;
  properties?: Record<string, Schema>;
}

/** What the API server would fill in for an empty spec. */
function defaultsOf(crd: string): Record<string, unknown> {
  const path = new URL(`../../config/crd/bases/control.bigfleet.lucy.sh_${crd}.yaml`, import.meta.url);
  const definition = parse(readFileSync(path, 'utf8')) as { spec: { versions: [{ schema: { openAPIV3Schema: Schema } }] } };
  const fill = (schema: Schema): Record<string, unknown> => Object.fromEntries(
    Object.entries(schema.properties ?? {}).flatMap(([name, field]): [string, unknown][] => {
      if (field.properties) return field.default === undefined ? [] : [[name, fill(field)]];
      return field.default === undefined ? [] : [[name, field.default]];
    }),
  );
  return fill(definition.spec.versions[0].schema.openAPIV3Schema.properties!['spec']!);
}

describe('settings of a Shard object', () => {
  it('that says nothing are the defaults of its definition', () => {
    const defaults = defaultsOf('shards');
    expect(defaults).toMatchObject({ mode: 'Active', rails: { reclaimCapFraction: '0.05' } }); // the file was read
    expect(settingsOf({ spec: {} })).toEqual(settingsOf({ spec: defaults }));
    expect(settingsOf({ spec: {} })).toEqual({
      mode: 'Active', cycleMs: 10_000, emptyRollupGuard: true, concurrencyPerProvider: 16, machineObjects: 'NonSpeculative',
      policy: {
        reclaimCapFraction: 0.05, reclaimCapMs: 10_000, maxConcurrentDrainsPerCluster: 10, maxReclaimsPerMinute: 0,
        holds: { onDemandMs: 600_000, spotMs: 60_000, occupiedExcessMs: 300_000 },
        limits: {}, reclaimGraceSeconds: DEFAULT_RECLAIM_GRACE_SECONDS, preemptionGraceSeconds: [10, 30, 120, 600],
      },
    });
  });

  it('are all taken from the object', () => {
    const settings = settingsOf({ spec: {
      mode: 'Paused', cycleSeconds: 3,
      rails: { reclaimCapFraction: '0.5', maxReclaimsPerMinute: 4, maxConcurrentDrainsPerCluster: 5, emptyRollupGuard: false },
      holds: { onDemandSeconds: 6, spotSeconds: 7, occupiedExcessSeconds: 8 },
      limits: { machines: 9, microUsdPerHour: 10 },
      concurrencyPerProvider: 11,
      machineObjects: 'Exceptional',
    } }, 12);
    expect(settings).toEqual({
      mode: 'Paused', cycleMs: 3_000, emptyRollupGuard: false, concurrencyPerProvider: 11, machineObjects: 'Exceptional',
      policy: {
        reclaimCapFraction: 0.5, reclaimCapMs: 3_000, maxReclaimsPerMinute: 4, maxConcurrentDrainsPerCluster: 5,
        holds: { onDemandMs: 6_000, spotMs: 7_000, occupiedExcessMs: 8_000 },
        limits: { machines: 9, microUsdPerHour: 10 }, reclaimGraceSeconds: 12, preemptionGraceSeconds: [10, 30, 120, 600],
      },
    });
  });

  it('of zero mean zero, not the default', () => {
    const { policy } = settingsOf({ spec: { rails: { reclaimCapFraction: '0' }, holds: { onDemandSeconds: 0, spotSeconds: 0, occupiedExcessSeconds: 0 }, limits: { machines: 0 } } });
    expect(policy).toMatchObject({ reclaimCapFraction: 0, holds: { onDemandMs: 0, spotMs: 0, occupiedExcessMs: 0 }, limits: { machines: 0 } });
  });

  it('are a policy that the engine takes', () => {
    expect(() => createEngine(settingsOf({ spec: {} }).policy)).not.toThrow();
  });
});

describe('how long one call to a provider may take', () => {
  it('is what the object says, else what its definition says, of each kind on its own', () => {
    const provider = { spec: { address: 'a:1', shardRef: 's', deadlines: { createSeconds: 1, configureSeconds: 2, drainSeconds: 3, deleteSeconds: 4, getSeconds: 5, listSeconds: 6 } } };
    const kinds = ['Create', 'Configure', 'Drain', 'Delete', 'Get', 'List'] as const;
    expect(kinds.map((kind) => callDeadlineMs(provider, kind))).toEqual([1_000, 2_000, 3_000, 4_000, 5_000, 6_000]);
    const { deadlines } = defaultsOf('capacityproviders') as { deadlines: Record<string, number> };
    expect(kinds.map((kind) => callDeadlineMs({ spec: { address: 'a:1', shardRef: 's', deadlines } }, kind))).toEqual(kinds.map((kind) => callDeadlineMs(undefined, kind)));
    expect(kinds.map((kind) => callDeadlineMs(undefined, kind))).toEqual([30_000, 30_000, 30_000, 30_000, 30_000, 120_000]);
  });
});

describe('settings of a CapacityProvider object', () => {
  const address = { address: 'provider:1', shardRef: 'shard-0' };

  it('that says nothing, or is not there, are the defaults of its definition', () => {
    const defaults = defaultsOf('capacityproviders');
    expect(defaults).toMatchObject({ pollSeconds: 10, transitionDeadlines: { creatingSeconds: 900 } });
    const expected = { pollMs: 10_000, fullListMs: 300_000, listDeadlineMs: 120_000, transitionMs: { Creating: 900_000, Configuring: 900_000, Draining: 300_000, Deleting: 600_000 }, drainingAddsGrace: true };
    expect(pollerSettingsOf({ spec: { ...address, ...defaults } }, undefined)).toEqual(expected);
    expect(pollerSettingsOf({ spec: address }, undefined)).toEqual(expected);
    expect(pollerSettingsOf(undefined, undefined)).toEqual(expected);
  });

  it('are taken from the object; the command line may poll faster', () => {
    const spec = { ...address, pollSeconds: 1, fullListSeconds: 2, deadlines: { listSeconds: 7 }, transitionDeadlines: { creatingSeconds: 3, configuringSeconds: 4, drainingSeconds: 5, deletingSeconds: 6 } };
    const expected = { pollMs: 1_000, fullListMs: 2_000, listDeadlineMs: 7_000, transitionMs: { Creating: 3_000, Configuring: 4_000, Draining: 5_000, Deleting: 6_000 }, drainingAddsGrace: false };
    expect(pollerSettingsOf({ spec }, undefined)).toEqual(expected);
    expect(pollerSettingsOf({ spec }, 250)).toEqual({ ...expected, pollMs: 250 });
  });
});

describe('the remembered spec', () => {
  let dir: string;
  beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'settings-'))));
  afterEach(() => rmSync(dir, { recursive: true }));

  it('is the last one that was saved', () => {
    new RememberedSpec(dir).save({ mode: 'Paused', cycleSeconds: 3 });
    new RememberedSpec(dir).save({ mode: 'DryRun' });
    expect(new RememberedSpec(dir).load()).toEqual({ mode: 'DryRun' });
    expect(readdirSync(dir)).toEqual(['shard-spec.json']);
  });

  it.each([['', 'empty'], ['{"mode":"Pau', 'torn'], ['null', 'null'], ['[1]', 'a list'], ['7', 'a number']])('that is %j is as good as none', (text) => {
    writeFileSync(join(dir, 'shard-spec.json'), text);
    expect(new RememberedSpec(dir).load()).toBeUndefined();
  });

  it('that was never saved is none', () => {
    expect(new RememberedSpec(dir).load()).toBeUndefined();
  });
});
