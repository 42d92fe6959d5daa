import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

/** Which API groups each chart brings: the hub has its own, managed clusters the public one. */
const groups: Readonly<Record<string, string>> = {
  bigfleet: 'control.bigfleet.lucy.sh',
  'bigfleet-operator': 'bigfleet.lucy.sh',
  'bigfleet-pod-controller': 'bigfleet.lucy.sh',
};

/** Copies the definitions of config/crd/bases into the crds/ of the charts: Helm follows no links out of a chart. */
export function generateChartCrds(root: string): void {
  const bases = join(root, 'config', 'crd', 'bases');
  for (const [chart, group] of Object.entries(groups)) {
    const crds = join(root, 'charts', chart, 'crds');
    rmSync(crds, { recursive: true, force: true });
    mkdirSync(crds, { recursive: true });
    for (const file of readdirSync(bases)) if (file.startsWith(`${group}_`)) copyFileSync(join(bases, file), join(crds, file));
  }
}

const alerts: Readonly<Record<string, string>> = { bigfleet: 'shard-alerts.yaml', 'bigfleet-operator': 'operator-alerts.yaml' };

/** Copies the alerts of config/prometheus into the charts. */
export function generateChartAlerts(root: string): void {
  for (const [chart, file] of Object.entries(alerts)) {
    mkdirSync(join(root, 'charts', chart, 'prometheus'), { recursive: true });
    copyFileSync(join(root, 'config', 'prometheus', file), join(root, 'charts', chart, 'prometheus', 'alerts.yaml'));
  }
}

type Schema = Readonly<Record<string, unknown>>;

/** Writes what a Shard's spec may hold into the schema of the chart's values, so that a field that is mistyped there is named. */
export function generateChartSettings(root: string): void {
  const file = join(root, 'charts', 'bigfleet', 'values.schema.json');
  writeFileSync(file, `${JSON.stringify(withSettings(JSON.parse(readFileSync(file, 'utf8')) as Schema, settingsSchema(root)), undefined, 2)}\n`);
}

/** `Shard.spec` of its definition as JSON Schema: unknown fields are refused, and nothing of Kubernetes' own is left. */
export function settingsSchema(root: string): Schema {
  const definition = parse(readFileSync(join(root, 'config', 'crd', 'bases', 'control.bigfleet.lucy.sh_shards.yaml'), 'utf8')) as {
    spec: { versions: { schema: { openAPIV3Schema: { properties: { spec: Schema } } } }[] };
  };
  return { ...closed(definition.spec.versions[0]!.schema.openAPIV3Schema.properties.spec), description: 'Further fields of Shard.spec.' };
}

function closed(schema: Schema): Schema {
  const { properties, ...rest } = schema;
  const kept = Object.fromEntries(Object.entries(rest).filter(([key]) => key !== 'default' && key !== 'format' && !key.startsWith('x-')));
  if (properties === undefined) return kept;
  return { ...kept, additionalProperties: false, properties: Object.fromEntries(Object.entries(properties as Record<string, Schema>).map(([name, each]) => [name, closed(each)])) };
}

function withSettings(values: Schema, settings: Schema): Schema {
  const into = (schema: Schema, [name, ...path]: readonly string[]): Schema => {
    if (name === undefined) return settings;
    const properties = schema['properties'] as Record<string, Schema>;
    return { ...schema, properties: { ...properties, [name]: into(properties[name]!, path) } };
  };
  return into(values, ['shard', 'settings']);
}
