import { checkInstance, type InstanceProblem } from './instance-check.ts';
import type { Instance } from './machine.ts';

/** Judges the instances of one description, one after the other: each by itself, and beside those before it. */
export class DescriptionCheck {
  private readonly requireZone: boolean;
  private readonly ids = new Set<string>();
  /** Which instance has a host. */
  private readonly hosts = new Map<string, string>();

  constructor(requireZone: boolean) {
    this.requireZone = requireZone;
  }

  /** What is wrong, field by field; empty when it may enter the inventory. */
  problemsOf(instance: Instance): InstanceProblem[] {
    const problems = checkInstance(instance, this.requireZone);
    const { id, host } = instance;
    if (this.ids.has(id)) return [...problems, { field: 'id', text: 'is described twice' }];
    this.ids.add(id);
    if (!host) return problems;
    const other = this.hosts.get(keyOf(host));
    if (other !== undefined) {
      const text = `${host.provider} ${host.ref} is that of instance ${JSON.stringify(other)}: one host cannot be two machines, describe it once`;
      return [...problems, { field: 'host', text }];
    }
    this.hosts.set(keyOf(host), id);
    return problems;
  }
}

function keyOf({ provider, ref }: NonNullable<Instance['host']>): string {
  return JSON.stringify([provider, ref]);
}
