import { copyFileSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

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
