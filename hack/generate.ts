/**
 * Regenerates everything that is derived from a contract: message and service code from proto/ and object types from
 * config/crd/bases/, under src/api; roles from the tables of permissions, under config/rbac/ and charts/; the definitions in
 * the charts. Needs no network. Running it twice changes nothing; CI runs it and fails on a difference.
 */
import { spawnSync } from 'node:child_process';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { generateCrdTypes } from './generate-crd-types.ts';
import { generateChartAlerts, generateChartCrds, generateChartSettings } from './generate-chart-copies.ts';
import { generateDescriptors } from './generate-descriptors.ts';
import { generateRbac } from './generate-rbac.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = join(root, 'node_modules', '.bin');

function buf(...args: string[]): void {
  const run = spawnSync(join(bin, 'buf'), args, {
    cwd: root,
    stdio: 'inherit',
    // The plugin is a Node script: let it find the Node that the project brings along.
    env: { ...process.env, PATH: `${bin}${delimiter}${process.env['PATH'] ?? ''}` },
  });
  if (run.error) throw run.error;
  if (run.status !== 0) throw new Error(`buf ${args.join(' ')} failed with exit code ${String(run.status)}`);
}

buf('lint');
buf('generate');
generateDescriptors(join(root, 'src', 'api', 'gen', 'descriptors.ts'));
await generateCrdTypes(join(root, 'config', 'crd', 'bases'), join(root, 'src', 'api', 'types.gen.ts'));
generateRbac(root);
generateChartCrds(root);
generateChartAlerts(root);
generateChartSettings(root);
