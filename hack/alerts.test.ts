import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { createOperatorMetrics } from '../src/operator/metrics.ts';
import { createRuntimeMetrics } from '../src/runtime/index.ts';
import { createShardMetrics } from '../src/shard/metrics.ts';
import { measureProviders } from '../src/shard/provider/metrics.ts';

const root = join(import.meta.dirname, '..');
const folder = join(root, 'config', 'prometheus');

interface Alert { alert: string; expr: string; annotations: { summary: string; runbook: string } }
interface Rules { spec: { groups: { rules: Alert[] }[] } }

const files = readdirSync(folder).filter((file) => file.endsWith('-alerts.yaml'));
const alerts = files.flatMap((file) => (parse(readFileSync(join(folder, file), 'utf8')) as Rules).spec.groups.flatMap(({ rules }) => rules));
const runbooks = readFileSync(join(root, 'docs', 'operations.md'), 'utf8');

/** Names of series, and the labels of each, that the code registers. */
async function series(): Promise<Map<string, readonly string[]>> {
  const registry = new Registry();
  createShardMetrics(registry);
  createOperatorMetrics(registry);
  createRuntimeMetrics(registry);
  measureProviders(registry, () => []);
  const known = new Map<string, readonly string[]>();
  for (const { name } of await registry.getMetricsAsJSON()) {
    const { labelNames = [] } = registry.getSingleMetric(name) as unknown as { labelNames?: readonly string[] };
    for (const suffix of ['', '_bucket', '_sum', '_count']) known.set(`${name}${suffix}`, labelNames);
  }
  return known;
}

describe('alerts', () => {
  it('are eight, each with a runbook of its own', () => {
    expect(alerts).toHaveLength(8);
    for (const { alert, annotations } of alerts) {
      expect(annotations.runbook).toBe(`docs/operations.md#${alert.toLowerCase()}`);
      const [, section = ''] = new RegExp(`^### ${alert}\\n([^#]+)`, 'm').exec(runbooks) ?? [];
      expect(section.length, `docs/operations.md: ### ${alert}`).toBeGreaterThan(200);
    }
    expect([...runbooks.matchAll(/^### (BigFleet\w+)$/gm)].map(([, name]) => name).sort()).toEqual(alerts.map(({ alert }) => alert).sort());
  });

  it.each(alerts.map((alert) => [alert.alert, alert] as const))('%s asks for metrics and labels that the code has', async (_, { expr }) => {
    const known = await series();
    const used = [...expr.matchAll(/\b(bigfleet_\w+)(?:\{([^}]*)\})?/g)];
    expect(used.length).toBeGreaterThan(0);
    for (const [, name = '', selector = ''] of used) {
      expect(known.has(name), name).toBe(true);
      for (const [, label = ''] of selector.matchAll(/(\w+)=/g)) expect(known.get(name), name).toContain(label);
    }
    const grouped = [...expr.matchAll(/by \(([^)]+)\)/g)].flatMap(([, labels = '']) => labels.split(', '));
    const given = ['namespace', 'pod', 'le', ...used.flatMap(([, name = '']) => known.get(name) ?? [])];
    for (const label of grouped) expect(given).toContain(label);
  });

  it('are raised for every provider that keeps demand from being met', () => {
    const { expr = '', annotations } = alerts.find(({ alert }) => alert === 'BigFleetDemandUnmet') ?? {};
    expect(annotations?.summary).toContain('{{ $labels.provider }}');
    for (const gauge of ['unseen_machines', 'silent_calls']) {
      expect(expr).toContain(`or bigfleet_shard_provider_${gauge} > 0`);
      expect(runbooks).toMatch(new RegExp(`^#### [^\\n]+\\n\\n\`bigfleet_shard_provider_${gauge}\`:`, 'm'));
    }
  });

  it('are in the charts as they are in config/', () => {
    for (const [chart, file] of [['bigfleet', 'shard-alerts.yaml'], ['bigfleet-operator', 'operator-alerts.yaml']] as const) {
      expect(readFileSync(join(root, 'charts', chart, 'prometheus', 'alerts.yaml'), 'utf8')).toBe(readFileSync(join(folder, file), 'utf8'));
    }
  });
});
