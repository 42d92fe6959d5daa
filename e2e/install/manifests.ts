import { parseAllDocuments } from 'yaml';

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly rules?: readonly Record<string, readonly string[]>[];
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: { readonly template?: { readonly spec: PodSpec } };
}

interface PodSpec {
  readonly serviceAccountName: string;
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly containers: readonly Container[];
}

export interface Container {
  readonly name: string;
  readonly args: readonly string[];
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly livenessProbe?: { readonly httpGet: { readonly path: string } };
  readonly readinessProbe?: { readonly httpGet: { readonly path: string } };
}

/** The objects in what kustomize or Helm renders. Throws at the first document that is not YAML. */
export function manifestsOf(text: string): Manifest[] {
  return parseAllDocuments(text, { merge: true }).flatMap((document) => {
    if (document.errors[0]) throw document.errors[0];
    const object = document.toJS() as Manifest | null;
    return object === null ? [] : [object];
  });
}

/** The single object of this kind and name; throws when there is none. */
export function find(manifests: readonly Manifest[], kind: string, name: string): Manifest {
  const found = manifests.filter((object) => object.kind === kind && object.metadata.name === name);
  if (found.length !== 1) throw new Error(`${found.length} objects ${kind} ${name}, not one`);
  return found[0]!;
}

/** Of the workload (a StatefulSet or Deployment) of this name. */
export function podOf(manifests: readonly Manifest[], name: string): PodSpec {
  const workloads = manifests.filter((object) => object.spec?.template && object.metadata.name === name);
  const spec = workloads[0]?.spec?.template?.spec;
  if (!spec || workloads.length !== 1) throw new Error(`${workloads.length} workloads ${name}, not one`);
  return spec;
}

/** Rules of the roles of that name, in one text each, sorted. */
export function rulesOf(manifests: readonly Manifest[], name: string): string[] {
  return manifests
    .filter(({ kind, metadata }) => (kind === 'Role' || kind === 'ClusterRole') && metadata.name === name)
    .flatMap(({ kind, rules = [] }) => rules.map((rule) => `${kind} ${sortedText(rule)}`))
    .sort();
}

/** The arguments of a container as its process gets them: variables replaced, and flags that mean another place than a Pod. */
export function argsOf(container: Container, variables: Readonly<Record<string, string>>, flags: Readonly<Record<string, string>>): string[] {
  const left = new Set(Object.keys(flags));
  const args = container.args.map((arg) => {
    const [, flag = ''] = /^(--[a-z-]+)=/.exec(arg) ?? [];
    if (left.delete(flag)) return `${flag}=${flags[flag]}`;
    return arg.replace(/\$\(([A-Z_]+)\)/g, (whole, name: string) => {
      const value = variables[name];
      if (value === undefined) throw new Error(`${container.name}: ${whole} has no value`);
      return value;
    });
  });
  if (left.size > 0) throw new Error(`${container.name}: ${[...left].join()} is not among its arguments`);
  return args;
}

/** JSON whose keys are in order. */
export function sortedText(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part) ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1))) : part);
}
