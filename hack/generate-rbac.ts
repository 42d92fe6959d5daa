/** Roles and what they are bound to, from the tables beside the code that needs them. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { bootstrapTokenPermissions, TOKEN_NAMESPACE } from '../src/operator/bootstrap-tokens.ts';
import { operatorPermissions, podControllerPermissions } from '../src/operator/rbac.ts';
import type { Permission, Verb } from '../src/runtime/permission.ts';
import { shardPermissions } from '../src/shard/rbac.ts';

/** A process of its own, with its own ServiceAccount. */
export interface Component {
  readonly name: string;
  readonly chart: string;
  /** Folder under config/. */
  readonly folder: string;
  readonly permissions: readonly Permission[];
}

/** What a component is granted in addition, in another namespace, where its settings need it: a role that is applied by itself. */
export interface Extra extends Component {
  readonly role: string;
  readonly namespace: string;
}

export const components: readonly Component[] = [
  { name: 'bigfleet-shard', chart: 'bigfleet', folder: 'shard', permissions: shardPermissions },
  { name: 'bigfleet-operator', chart: 'bigfleet-operator', folder: 'operator', permissions: operatorPermissions },
  { name: 'bigfleet-pod-controller', chart: 'bigfleet-pod-controller', folder: 'pod-controller', permissions: podControllerPermissions },
];

export const extras: readonly Extra[] = [
  {
    name: 'bigfleet-operator', chart: 'bigfleet-operator', folder: 'operator-bootstrap-tokens', role: 'bigfleet-operator-bootstrap-tokens', namespace: TOKEN_NAMESPACE,
    permissions: bootstrapTokenPermissions,
  },
];

const NAMESPACE = 'bigfleet-system';
const VERBS: readonly Verb[] = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete'];
const GENERATED = '# Generated from the tables of permissions (rbac.ts beside the code) by hack/generate-rbac.ts. DO NOT EDIT.\n';

/** Writes config/rbac/<folder>/role.yaml and charts/<chart>/rbac/ under `root`. */
export function generateRbac(root: string): void {
  for (const { name, chart, folder, permissions } of components) {
    const scopes = { cluster: rulesOf(permissions, 'cluster'), namespace: rulesOf(permissions, 'namespace') };
    const documents = [
      ...(scopes.cluster ? [role('ClusterRole', name, scopes.cluster), binding('ClusterRole', name)] : []),
      ...(scopes.namespace ? [role('Role', name, scopes.namespace), binding('Role', name)] : []),
    ];
    write(join(root, 'config', 'rbac', folder, 'role.yaml'), GENERATED + documents.join('---\n'));
    for (const scope of ['cluster', 'namespace'] as const) {
      if (scopes[scope]) write(join(root, 'charts', chart, 'rbac', `${scope}.yaml`), GENERATED + scopes[scope]);
    }
  }
  generateExtras(root);
}

/** The same for `extras`, each in its own folder and file, because nobody is granted them unasked. */
function generateExtras(root: string): void {
  for (const { name, chart, folder, permissions, role: roleName, namespace } of extras) {
    if (permissions.some((permission) => permission.scope !== 'namespace' || permission.namespace !== namespace)) throw new Error(`${roleName}: only permissions in ${namespace}`);
    const rules = rulesOf(permissions, 'namespace');
    write(join(root, 'config', 'rbac', folder, 'role.yaml'), `${GENERATED}${role('Role', roleName, rules, namespace)}---\n${binding('Role', roleName, namespace, name)}`);
    write(join(root, 'charts', chart, 'rbac', `${folder.replace('operator-', '')}.yaml`), GENERATED + rules);
  }
}

/** Rules as a YAML list, one for each resource and set of names; '' when there is none. Throws for what RBAC cannot say. */
export function rulesOf(permissions: readonly Permission[], scope: Permission['scope']): string {
  const rules = new Map<string, Permission[]>();
  for (const permission of permissions) {
    if (permission.scope !== scope) continue;
    const { type, subresource = '', names, verbs } = permission;
    const unbindable = verbs.filter((verb) => verb === 'create' || verb === 'list' || verb === 'watch');
    if (names && unbindable.length > 0) throw new Error(`${type.plural}: ${unbindable.join()} cannot be bound to names; make it a permission of its own`);
    const key = [type.group, type.plural, subresource, ...(names ?? [])].join(' ');
    rules.set(key, [...(rules.get(key) ?? []), permission]);
  }
  return [...rules.values()].map(ruleOf).join('');
}

function ruleOf(permissions: readonly Permission[]): string {
  const { type, subresource, names } = permissions[0]!;
  const verbs = VERBS.filter((verb) => permissions.some((permission) => permission.verbs.includes(verb)));
  const why = [...new Set(permissions.map((permission) => permission.why))].map((text) => `# ${text}\n`);
  return [
    ...why,
    `- apiGroups: ["${type.group}"]\n`,
    `  resources: ["${type.plural}${subresource ? `/${subresource}` : ''}"]\n`,
    ...(names ? [`  resourceNames: [${names.map((name) => `"${name}"`).join(', ')}]\n`] : []),
    `  verbs: [${verbs.map((verb) => `"${verb}"`).join(', ')}]\n`,
  ].join('');
}

function head(kind: string, name: string, namespace = NAMESPACE): string {
  return `apiVersion: rbac.authorization.k8s.io/v1\nkind: ${kind}\nmetadata:\n  name: ${name}\n${kind.startsWith('Cluster') ? '' : `  namespace: ${namespace}\n`}`;
}

function role(kind: 'ClusterRole' | 'Role', name: string, rules: string, namespace?: string): string {
  return `${head(kind, name, namespace)}rules:\n${rules.replace(/^/gm, '  ').trimEnd()}\n`;
}

function binding(kind: 'ClusterRole' | 'Role', name: string, namespace?: string, account = name): string {
  return [
    head(`${kind}Binding`, name, namespace),
    `roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: ${kind}\n  name: ${name}\n`,
    `subjects:\n  - kind: ServiceAccount\n    name: ${account}\n    namespace: ${NAMESPACE}\n`,
  ].join('');
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
