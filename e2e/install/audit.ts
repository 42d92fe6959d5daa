import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { components } from '../../hack/generate-rbac.ts';

/** Beside the kubeconfig of its control plane. */
export const AUDIT_LOG = 'audit.jsonl';

export function auditLogOf({ kubeconfigPath }: { readonly kubeconfigPath: string }): string {
  return join(dirname(kubeconfigPath), AUDIT_LOG);
}

/** Writes a policy that records what the ServiceAccounts of a namespace ask for, and returns its path. */
export function writeAuditPolicy(dir: string, namespace: string): string {
  const path = join(dir, 'audit-policy.json');
  const rules = [{ level: 'Metadata', userGroups: [`system:serviceaccounts:${namespace}`], omitStages: ['RequestReceived'] }, { level: 'None' }];
  writeFileSync(path, JSON.stringify({ apiVersion: 'audit.k8s.io/v1', kind: 'Policy', rules }));
  return path;
}

interface AuditEvent {
  readonly verb: string;
  readonly user: { readonly username: string };
  readonly objectRef?: { readonly resource: string; readonly subresource?: string; readonly name?: string; readonly namespace?: string };
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface Asked {
  /** Requests that RBAC refused, once each. */
  readonly refused: readonly string[];
  /** `operator: patch nodes`: verbs of the tables that were asked for and allowed. */
  readonly used: ReadonlySet<string>;
}

/** What the components asked of an API server, as its audit log has it. */
export function askedOf(auditLogPath: string, namespace: string): Asked {
  const refused = new Set<string>();
  const used = new Set<string>();
  const prefix = `system:serviceaccount:${namespace}:`;
  for (const line of readFileSync(auditLogPath, 'utf8').split('\n')) {
    if (line === '') continue;
    const { verb, user, objectRef, annotations } = JSON.parse(line) as AuditEvent;
    if (!user.username.startsWith(prefix) || !objectRef) continue;
    const account = user.username.slice(prefix.length);
    const what = `${account}: ${verb} ${objectRef.resource}${objectRef.subresource ? `/${objectRef.subresource}` : ''}`;
    if (annotations?.['authorization.k8s.io/decision'] === 'forbid') refused.add(`${what} ${objectRef.namespace ?? ''}/${objectRef.name ?? ''}`);
    else used.add(what);
  }
  return { refused: [...refused], used };
}

/** Every verb of the tables of these components, in the form of `used`. */
export function verbsOf(accounts: readonly string[]): string[] {
  const all = components.filter(({ name }) => accounts.includes(name)).flatMap(({ name, permissions }) =>
    permissions.flatMap(({ type, subresource, verbs }) => verbs.map((verb) => `${name}: ${verb} ${type.plural}${subresource ? `/${subresource}` : ''}`)));
  return [...new Set(all)];
}
