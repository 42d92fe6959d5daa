import type { StaticMachine } from './inventory.ts';
import type { YamlField } from './yaml-field.ts';

/** What tells one host from another, and what to do where two machines say the same. */
const claims = [
  {
    name: 'address',
    of: ({ address }: StaticMachine) => address,
    fix: 'one host cannot be two machines: give this one an address of its own, or take its line away. What several machines share, such as a jump host, goes into variables',
  },
  {
    name: 'providerId',
    of: ({ host }: StaticMachine) => host.ref,
    fix: 'one Node cannot be two machines: give this one a providerId of its own, or leave it out for static:///ID',
  },
];

/** Finds machines that are one host: a line that was copied would have it handed out twice. */
export class HostClaims {
  private readonly taken = new Map<string, { readonly id: string; readonly line: number }>();
  /** Items of the file that were objected to: of a range, the first machine says it. */
  private readonly told = new Set<YamlField>();

  /** Notes a problem at `field`, where the machine stands, if one before it is the same host. */
  claim(machine: StaticMachine, field: YamlField): void {
    const { id } = machine.instance;
    for (const { name, of, fix } of claims) {
      const key = keyOf(name, of(machine));
      const other = this.taken.get(key);
      if (!other) this.taken.set(key, { id, line: field.line });
      else if (!this.told.has(field)) {
        this.told.add(field);
        field.bad(`${JSON.stringify(id)} has the ${name} ${JSON.stringify(of(machine))} of ${JSON.stringify(other.id)} (line ${other.line}): ${fix}`);
      }
    }
  }
}

/** What a machine says of its host, in forms that can be compared: another machine with one of them is the same host. */
export function hostKeys(machine: StaticMachine): readonly string[] {
  return claims.map(({ name, of }) => keyOf(name, of(machine)));
}

/** What two machines that are one host both say; undefined for two hosts. */
export function sameHost(one: StaticMachine, other: StaticMachine): string | undefined {
  const claim = claims.find(({ name, of }) => keyOf(name, of(one)) === keyOf(name, of(other)));
  return claim && `${claim.name} ${JSON.stringify(claim.of(one))}`;
}

/** Names of hosts are the same in capitals, and with the dot that ends them. */
function keyOf(name: string, text: string): string {
  return `${name} ${name === 'address' ? text.toLowerCase().replace(/\.$/, '') : text}`;
}
