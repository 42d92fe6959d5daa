import type { Permission } from '../permission.ts';
import type { AccessRequest } from '../types.ts';

/** Decides as RBAC does about a ServiceAccount that has these permissions and no others, and remembers what was asked. */
export class Role {
  /** Requests that were refused. */
  readonly refused: string[] = [];
  private readonly permissions: readonly Permission[];
  private readonly namespace: string;
  private readonly granted = new Set<string>();

  constructor(permissions: readonly Permission[], namespace: string) {
    this.permissions = permissions;
    this.namespace = namespace;
  }

  allows(request: AccessRequest): boolean {
    // As the real server sees it, a Namespace lies in itself.
    const namespace = request.group === '' && request.plural === 'namespaces' ? request.name : request.namespace;
    const because = this.permissions.filter(({ type, subresource = '', verbs, scope, namespace: elsewhere = this.namespace, names }) =>
      type.group === request.group && type.plural === request.plural && subresource === request.subresource && verbs.some((verb) => verb === request.verb)
      && (scope === 'cluster' || namespace === elsewhere) && (!names || names.includes(request.name)));
    for (const permission of because) this.granted.add(nameOf(permission, request.verb));
    if (because.length === 0) this.refused.push(`${request.verb} ${request.group}/${request.plural}${request.subresource && `/${request.subresource}`} ${request.namespace}/${request.name}`);
    return because.length > 0;
  }

  /** Verbs of the permissions that nobody has asked for. */
  unused(): string[] {
    return this.permissions.flatMap((permission) => permission.verbs.map((verb) => nameOf(permission, verb))).filter((name) => !this.granted.has(name));
  }
}

function nameOf({ type, subresource, scope, names }: Permission, verb: string): string {
  return `${verb} ${type.plural}${subresource ? `/${subresource}` : ''}${names ? ` ${names.join()}` : ''} (${scope})`;
}
