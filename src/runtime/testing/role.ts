import type { Permission } from '../permission.ts';
import type { AccessRequest } from '../types.ts';

/** Decides as RBAC does about a ServiceAccount that has these permissions and no others, and remembers what was asked. */
export class Role {
  /** Requests that were refused. */
  readonly refused: string[] = [];
  private readonly permissions: readonly Permission[];
  private readonly namespace: string;
  private readonly granted = new Set<string>();
  private readonly asked = new Map<string, AccessRequest>();

  constructor(permissions: readonly Permission[], namespace: string) {
    this.permissions = permissions;
    this.namespace = namespace;
  }

  allows(request: AccessRequest): boolean {
    this.asked.set(nameOfRequest(request), request);
    const because = this.reasons(request, this.permissions);
    for (const permission of because) this.granted.add(nameOf(permission, request.verb));
    if (because.length === 0) this.refused.push(nameOfRequest(request));
    return because.length > 0;
  }

  /** Verbs of the permissions that nobody has asked for. */
  unused(): string[] {
    return this.verbs().filter((name) => !this.granted.has(name));
  }

  /** Verbs of the role without any one of which everything that was asked would have been allowed all the same. */
  dispensable(): string[] {
    return this.verbs().filter((name) => {
      const without = this.permissions.map((permission) => ({ ...permission, verbs: permission.verbs.filter((verb) => nameOf(permission, verb) !== name) }));
      return [...this.asked.values()].every((request) => this.reasons(request, without).length > 0);
    });
  }

  /** As the generated role has them: two reasons for one verb of a resource are one verb. */
  private verbs(): string[] {
    return [...new Set(this.permissions.flatMap((permission) => permission.verbs.map((verb) => nameOf(permission, verb))))];
  }

  private reasons(request: AccessRequest, permissions: readonly Permission[]): Permission[] {
    // As the real server sees it, a Namespace lies in itself.
    const namespace = request.group === '' && request.plural === 'namespaces' ? request.name : request.namespace;
    return permissions.filter(({ type, subresource = '', verbs, scope, namespace: elsewhere = this.namespace, names }) =>
      type.group === request.group && type.plural === request.plural && subresource === request.subresource && verbs.some((verb) => verb === request.verb)
      && (scope === 'cluster' || namespace === elsewhere) && (!names || names.includes(request.name)));
  }
}

function nameOfRequest({ verb, group, plural, subresource, namespace, name }: AccessRequest): string {
  return `${verb} ${group}/${plural}${subresource && `/${subresource}`} ${namespace}/${name}`;
}

function nameOf({ type, subresource, scope, names }: Permission, verb: string): string {
  return `${verb} ${type.plural}${subresource ? `/${subresource}` : ''}${names ? ` ${names.join()}` : ''} (${scope})`;
}
