/**
 * The sites of a rig as kind clusters, for a workstation with a container engine. **Unverified**: written where there was none.
 * Machines are still simulated: kwok runs here, beside the clusters, and plays the kubelets of their Nodes alone.
 */
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { ensureBinaries, ensureKwokStages } from '../../hack/control-plane/build.ts';
import { kwokArgs } from '../control-plane/component-args.ts';
import { GuardedProcess } from '../control-plane/guarded-process.ts';
import { applyManifests, kubectl } from '../control-plane/kubectl.ts';
import { controlCrds, publicCrds } from '../fleet.ts';
import { eventually } from '../promise.ts';
import { clusterIds, KUBELETS, siteOf, startNodeAgent, versionOf } from './sites.ts';
import type { Sites } from './sites.ts';

const PREFIX = 'bigfleet-e2e';

/** `stops` gets what ends each part; clusters of an earlier run that are in the way are deleted. Throws if kind is not there. */
export async function startKindSites(dir: string, log: (line: string) => void, stops: (() => Promise<void>)[], image?: string): Promise<Sites> {
  run('kind', ['version']);
  const binaries = await ensureBinaries({ log });
  const stages = await ensureKwokStages();
  const started: { name: string; kubeconfigPath: string }[] = [];
  for (const name of ['hub', ...clusterIds]) {
    const cluster = `${PREFIX}-${name}`;
    const kubeconfigPath = join(dir, `${name}.kubeconfig`);
    log(`creating the kind cluster ${cluster}`);
    run('kind', ['delete', 'cluster', '--name', cluster]);
    stops.push(() => Promise.resolve(void run('kind', ['delete', 'cluster', '--name', cluster])));
    run('kind', ['create', 'cluster', '--name', cluster, '--kubeconfig', kubeconfigPath, '--wait', '180s', ...(image === undefined ? [] : ['--image', image])]);
    await applyManifests({ kubeconfigPath }, name === 'hub' ? controlCrds : publicCrds);
    if (name !== 'hub') {
      const kwok = GuardedProcess.start({
        name: `${name}: kwok`, command: binaries.kwok, args: kwokArgs({ kubeconfigPath, stages, kubelets: KUBELETS }), env: { HOME: dir, KWOK_WORKDIR: join(dir, `kwok-${name}`) },
        logPath: join(dir, `kwok-${name}.log`), graceMs: 5_000, onUnexpectedExit: log,
      });
      stops.push(() => kwok.stop());
    }
    started.push({ name, kubeconfigPath });
  }
  const [hub, ...clusters] = started.map(({ name, kubeconfigPath }) => siteOf(name, kubeconfigPath, stops));
  const containerOf = (id: string): string => `${PREFIX}-${id}-control-plane`;
  const container = containerOf('hub');
  return {
    hub: hub!, clusters, kubernetes: await versionOf(hub!.kubeconfigPath), nodeAgentUrl: await startNodeAgent(dir, clusters, log, stops),
    pauseServer: (id) => void run('docker', ['pause', containerOf(id)]), resumeServer: (id) => void run('docker', ['unpause', containerOf(id)]),
    stopHubServer: () => Promise.resolve(void run('docker', ['stop', container])),
    startHubServer: async () => {
      run('docker', ['start', container]);
      await eventually('the hub answers again', 180, () => kubectl(hub!, ['get', '--raw', '/readyz']));
    },
  };
}

function run(command: string, args: readonly string[]): string {
  const ran = spawnSync(command, args, { encoding: 'utf8' });
  if (ran.error) throw new Error(`--kind needs ${command} on the PATH: ${ran.error.message}`);
  if (ran.status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${String(ran.status)}:\n${ran.stderr}${ran.stdout}`);
  return ran.stdout;
}
