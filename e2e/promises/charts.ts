import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { components } from '../../hack/generate-rbac.ts';
import { helm, kubectl } from '../control-plane/kubectl.ts';
import { find, manifestsOf, podOf, rulesOf, sortedText } from '../install/manifests.ts';
import { leavesOf, namesIn, wrongValues } from '../install/values.ts';
import type { Schema } from '../install/values.ts';
import { expect } from '../promise.ts';
import type { Promised } from '../promise.ts';

const root = join(import.meta.dirname, '..', '..');
const chart = (name: string): string => join(root, 'charts', name);

const required: Readonly<Record<string, readonly string[]>> = {
  bigfleet: [],
  'bigfleet-operator': ['--set=clusterID=east', '--set=shardAddress=shard:7780'],
  'bigfleet-pod-controller': [],
};
const MONITORING = ['--api-versions=monitoring.coreos.com/v1/ServiceMonitor', '--api-versions=monitoring.coreos.com/v1/PrometheusRule'];

/** Values that cannot work, and words of the sentence that says so. */
const bad: readonly (readonly [chart: string, values: readonly string[], sentence: string])[] = [
  ['bigfleet', ['coordinator.enabled=true'], 'coordinator.enabled: there is no coordinator yet'],
  ['bigfleet', ['shard.dryRun=true', 'shard.actuationPaused=true'], 'a shard has one mode'],
  ['bigfleet', ['shard.provider.addr=provider'], 'shard.provider.addr: "provider" is not an address; write host:port'],
  ['bigfleet', ['shard.provider.addr=http://provider:9'], '"http://provider:9" is not an address; write host:port'],
  ['bigfleet', ['shard.provider.addr=:9'], '":9" is not an address; write host:port'],
  ['bigfleet', ['shard.service.metricsPort=7780'], 'shard.service.metricsPort: 7780 is shard.service.grpcPort, too'],
  ['bigfleet', ['shard.reclaimCapFraction=half'], "'/shard/reclaimCapFraction'"],
  ['bigfleet', ['shard.settings.mode=Paused', 'shard.dryRun=true'], 'shard.settings.mode: shard.dryRun or shard.actuationPaused says the mode already'],
  ['bigfleet', ['shard.settings.limits.machine=5'], "'machine' not allowed"],
  ['bigfleet', ['shard.settings.holds.spotSeconds=-1'], "'/shard/settings/holds/spotSeconds'"],
  ['bigfleet', ['shard.extraArgs[0]=--listen=:1'], 'shard.extraArgs: --listen is set by the chart; set shard.service.grpcPort'],
  ['bigfleet', ['shard.dataDir=data'], "'/shard/dataDir'"],
  ['bigfleet', ['shard.storage.size=0Gi'], "'/shard/storage/size'"],
  ['bigfleet', ['networkPolicy.providerPorts[0]=0'], "'/networkPolicy/providerPorts/0'"],
  ['bigfleet', ['networkPolicy.apiServerPorts=[]'], "'/networkPolicy/apiServerPorts'"],
  ['bigfleet', ['image.repository=My Registry/bigfleet'], "'/image/repository'"],
  ['bigfleet', ['shard.tls.secretName=Shard_TLS'], "'/shard/tls/secretName'"],
  ['bigfleet', ['shard.provider.addr=provider:9', 'shard.replicas=2'], 'one provider belongs to one shard, and there are 2'],
  ['bigfleet', ['shard.provider.tls=true'], 'shard.provider.tls: without shard.provider.addr'],
  ['bigfleet', ['shard.provider.tls=true', 'shard.provider.addr=p:9', 'shard.provider.tlsSecretName='], 'shard.provider.tlsSecretName is empty'],
  ['bigfleet', ['shard.auditLog=/tmp/audit'], 'shard.auditLog: "/tmp/audit" is not under shard.dataDir'],
  ['bigfleet', ['serviceAccount.create=false'], 'serviceAccount.name: with serviceAccount.create=false'],
  ['bigfleet', ['podMonitor.enabled=true'], 'podMonitor.enabled: set serviceMonitor.enabled instead'],
  ['bigfleet', ['serviceMonitor.enabled=true'], 'this cluster does not know ServiceMonitors'],
  ['bigfleet', ['prometheusRule.enabled=true'], 'this cluster does not know PrometheusRules'],
  ['bigfleet', ['crds.templated=true'], 'crds.templated: this cluster does not know Shards yet'],
  ['bigfleet', ['shard.replicas=-1'], "'/shard/replicas'"],
  ['bigfleet', ['shard.replica=1'], "'replica' not allowed"],
  ['bigfleet', ['networkPolicy.operatorCIDRs[0]=everywhere'], "'/networkPolicy/operatorCIDRs/0'"],
  ['bigfleet-operator', ['clusterID='], 'clusterID: is required'],
  ['bigfleet-operator', ['clusterID=a b'], 'clusterID: "a b" may hold only letters'],
  ['bigfleet-operator', ['shardAddress='], 'shardAddress: is required'],
  ['bigfleet-operator', ['shardAddress=shard'], 'shardAddress: "shard" is not an address; write host:port'],
  ['bigfleet-operator', ['bootstrapTemplate=join {{ .APIServer }}'], 'bootstrapAPIServer: is required'],
  ['bigfleet-operator', ['shardAddress=https://shard:7780'], '"https://shard:7780" is not an address; write host:port'],
  ['bigfleet-operator', ['shardAddress=shard:0'], '"shard:0" is not an address; write host:port'],
  ['bigfleet-operator', ['extraArgs[0]=--cluster-id', 'extraArgs[1]=west'], 'extraArgs: --cluster-id is set by the chart; set clusterID'],
  ['bigfleet-operator', ['bootstrapTemplate=join {{ .Token }}'], 'bootstrapTemplate: there is no field .Token; there are .ClusterID'],
  ['bigfleet-operator', ['bootstrapTTL=1..h', 'bootstrapTemplate=x'], "'/bootstrapTTL'"],
  ['bigfleet-operator', ['bootstrapTTL=1h'], 'bootstrapTTL: needs bootstrapTemplate'],
  ['bigfleet-operator', ['podDemand=both'], "'/podDemand'"],
  ['bigfleet-operator', ['rollupInterval=soon'], "'/rollupInterval'"],
  ['bigfleet-pod-controller', ['priorityClassDefaults.high.penalty=8'], 'priorityClassDefaults.high.penalty: is not known'],
  ['bigfleet-pod-controller', ['priorityClassDefaults.high.interruptionPenalty=much'], 'priorityClassDefaults.high.interruptionPenalty: "much" is not an amount of dollars'],
  ['bigfleet-pod-controller', ['extraArgs[0]=--foreign-nodes=count'], 'extraArgs: --foreign-nodes is set by the chart; set foreignNodes'],
  ['bigfleet-pod-controller', ['foreignNodes=maybe'], "'/foreignNodes'"],
];

export const chartsRender: Promised = {
  id: 'charts',
  promise: 'charts and kustomize render the same roles and workloads, and a value that cannot work is named',
  controlPlane: 'none',
  async run({ dir, log }) {
    const kustomized = manifestsOf(await kubectl({ kubeconfigPath: join(dir, 'none') }, ['kustomize', join(root, 'config', 'default')]));
    for (const { name, chart: of } of components) {
      await helm(['lint', '--strict', chart(of), ...required[of]!], { home: dir });
      const text = await helm(['template', 'r', chart(of), '-n', 'bigfleet-system', '--kube-version=1.31.0', ...required[of]!, ...MONITORING, '--set=serviceMonitor.enabled=true'], { home: dir });
      const rendered = manifestsOf(text);
      const [ours, theirs] = [rulesOf(rendered, name), rulesOf(kustomized, name)];
      expect(ours.length > 5 && JSON.stringify(ours) === JSON.stringify(theirs), `${name}: the chart's role differs from that of config/:\n${ours.join('\n')}\n\n${theirs.join('\n')}`);
      const hardening = (pod: ReturnType<typeof podOf>): string => sortedText([pod.securityContext['runAsUser'], pod.containers[0]?.securityContext, pod.containers[0]?.livenessProbe, pod.containers[0]?.readinessProbe]);
      expect(hardening(podOf(rendered, name)) === hardening(podOf(kustomized, name)), `${name}: chart and config/ differ in probes or security`);
      for (const kind of ['ServiceAccount', 'PodDisruptionBudget', 'NetworkPolicy', 'ServiceMonitor']) {
        expect(rendered.some((object) => object.kind === kind), `${of} renders no ${kind}`);
      }
    }
    for (const { name, chart: of } of components) {
      // As in config/, where the sample of a provider has its address.
      const rendered = manifestsOf(await helm(['template', 'r', chart(of), ...(of === 'bigfleet' ? ['--set=shard.provider.addr=provider:9000'] : []), ...(of === 'bigfleet-operator' ? ['--set=clusterID=east', '--set=shardAddress=shard:7780'] : [])], { home: dir }));
      const [ours, theirs] = [rendered, kustomized].map((all) => policyText(find(all, 'NetworkPolicy', name)));
      expect(ours === theirs, `${name}: the chart's NetworkPolicy differs from that of config/:\n${ours}\n${theirs}`);
    }
    log('three charts render the roles and workloads of config/default');

    const monitoring = await helm(['template', 'r', chart('bigfleet'), ...MONITORING, '--set=prometheusRule.enabled=true'], { home: dir });
    expect(monitoring.includes('{{ $labels.cluster }}'), 'alerts keep their own templates');
    const templated = manifestsOf(await helm(['template', 'r', chart('bigfleet'), '--set=crds.templated=true', '--api-versions=control.bigfleet.lucy.sh/v1alpha1/Shard'], { home: dir }));
    expect(templated.filter(({ kind }) => kind === 'CustomResourceDefinition').length === 3, 'definitions come with the release when they are asked for');

    for (const [name, values, sentence] of bad) {
      const said = await refusal(helm(['template', 'r', chart(name), ...required[name]!, ...values.map((value) => `--set=${value}`)], { home: dir }));
      expect(said.includes(sentence), `${name} ${values.join(' ')}: not named as it should be: ${said}`);
    }
    let leaves = 0;
    for (const { chart: of } of components) leaves += await everyValueIsChecked(of, dir);
    const sentences = ['bigfleet', 'bigfleet-operator', 'bigfleet-pod-controller'].flatMap((name) => [...readFileSync(join(chart(name), 'templates', 'validate.yaml'), 'utf8').matchAll(/\bfail\b/g)]).length;
    return `3 charts, 3 roles equal to those of config/; ${bad.length} bad values named, and a wrong type of each of ${leaves} values (the templates hold ${sentences} sentences)`;
  },
};

async function refusal(call: Promise<string>): Promise<string> {
  return call.then(
    () => {
      throw new Error('was to be refused, and was rendered');
    },
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
}

/** Protocol TCP is what a port has that names none. */
function policyText({ spec }: object & { spec?: unknown }): string {
  return sortedText(spec).replaceAll(',"protocol":"TCP"', '');
}

/** The schema knows exactly the values of values.yaml, refuses each of a wrong type, and holds every text to a pattern or a sentence. */
async function everyValueIsChecked(name: string, dir: string): Promise<number> {
  const schema = JSON.parse(readFileSync(join(chart(name), 'values.schema.json'), 'utf8')) as Schema;
  const leaves = leavesOf(schema);
  const known = leaves.map(({ path }) => path.join('.'));
  const documented = namesIn(parse(readFileSync(join(chart(name), 'values.yaml'), 'utf8')));
  const unknown = documented.filter((value) => !known.some((leaf) => value === leaf || value.startsWith(`${leaf}.`) || leaf.startsWith(`${value}.`)));
  const undocumented = known.filter((leaf) => !documented.some((value) => value === leaf || value.startsWith(`${leaf}.`) || leaf.startsWith(`${value}.`)));
  expect(unknown.length === 0 && undocumented.length === 0, `${name}: not in the schema: ${unknown.join()}; not in values.yaml: ${undocumented.join()}`);

  const file = join(dir, `${name}-wrong.json`);
  writeFileSync(file, JSON.stringify(wrongValues(leaves)));
  const said = await refusal(helm(['template', 'r', chart(name), '-f', file], { home: dir }));
  const accepted = leaves.filter(({ path, schema: { type } }) => type !== undefined && !said.includes(`'/${path.join('/')}'`));
  expect(accepted.length === 0, `${name}: of any type: ${accepted.map(({ path }) => path.join('.')).join()}`);

  const unchecked = leaves.filter(({ schema }) => schema.type === 'string' && schema.pattern === undefined && schema.enum === undefined).map(({ path }) => path.join('.'));
  const loose = unchecked.filter((value) => !bad.some(([of, values]) => of === name && values.some((each) => each.startsWith(`${value}=`))));
  expect(loose.length === 0, `${name}: neither a pattern nor a sentence holds ${loose.join()}`);
  return leaves.length;
}
