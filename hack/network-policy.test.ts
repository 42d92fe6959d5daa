import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';

const root = join(import.meta.dirname, '..');

interface Port { readonly port: string | number; readonly protocol?: string }
interface Policy { spec: { podSelector: { matchLabels: object }; policyTypes: string[]; ingress: { from?: object[]; ports: Port[] }[]; egress: { to?: object[]; ports: Port[] }[] } }
interface Workload { spec: { template: { metadata: { labels: object }; spec: { containers: { args: string[]; ports: { name: string; containerPort: number }[] }[] } } } }

function read<T>(path: string): T {
  return parseAllDocuments(readFileSync(join(root, 'config', path), 'utf8'), { merge: true })[0]!.toJS() as T;
}

const policyOf = (component: string): Policy => read<Policy>(`network-policy/${component}/network-policy.yaml`);
const workloadOf = (component: string): Workload => read<Workload>(`manager/${component}/${component}.yaml`);
const egressOf = (component: string): string[] => policyOf(component).spec.egress.flatMap(({ ports }) => ports.map(({ port, protocol = 'TCP' }) => `${port}/${protocol}`)).sort();
/** Names, and the API server: what everybody needs. */
const EVERYBODY = ['443/TCP', '53/TCP', '53/UDP', '6443/TCP'];
const portOf = (address: string): number => Number(/:(\d+)$/.exec(address)?.[1]);

describe('network policies', () => {
  it.each(['shard', 'operator', 'pod-controller'])('let in to the %s, through every port that it serves, those whom it serves', (component) => {
    const { podSelector, policyTypes, ingress } = policyOf(component).spec;
    const { metadata, spec } = workloadOf(component).spec.template;
    expect(podSelector.matchLabels).toEqual(metadata.labels);
    expect(policyTypes).toEqual(['Ingress', 'Egress']);
    expect(ingress.flatMap(({ ports }) => ports.map(({ port }) => port)).sort()).toEqual(spec.containers.flatMap(({ ports }) => ports.map(({ name }) => name)).sort());
    const metrics = ingress.find(({ ports }) => ports.some(({ port }) => port === 'metrics'));
    expect(metrics?.from).toEqual([{ namespaceSelector: { matchLabels: { 'bigfleet.lucy.sh/metrics': 'enabled' } } }]);
  });

  it('let out what each calls, and nothing else', () => {
    const { args } = workloadOf('operator').spec.template.spec.containers[0]!;
    const shard = portOf(args.find((arg) => arg.startsWith('--shard-addr='))!);
    const provider = portOf(read<{ spec: { address: string } }>('samples/capacityprovider.yaml').spec.address);
    expect(egressOf('pod-controller')).toEqual(EVERYBODY);
    expect(egressOf('operator')).toEqual([...EVERYBODY, `${shard}/TCP`].sort());
    expect(egressOf('shard')).toEqual([...EVERYBODY, `${provider}/TCP`].sort());
    // The operator's way out leads where the shard lets operators in.
    expect(workloadOf('shard').spec.template.spec.containers[0]!.ports.find(({ name }) => name === 'grpc')?.containerPort).toBe(shard);
  });

  it('come with each half and with the whole', () => {
    const resources = (path: string): string[] => read<{ resources: string[] }>(`${path}/kustomization.yaml`).resources.filter((name) => name.includes('network-policy'));
    expect(resources('hub')).toEqual(['../network-policy/shard']);
    expect(resources('cluster')).toEqual(['../network-policy/operator', '../network-policy/pod-controller']);
    expect(resources('default')).toEqual(['../network-policy']);
    expect(read<{ resources: string[] }>('network-policy/kustomization.yaml').resources).toEqual(['shard', 'operator', 'pod-controller']);
  });
});
