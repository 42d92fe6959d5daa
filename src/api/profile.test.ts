import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { NodeSelectorRequirement_Operator, TopologySpread_WhenUnsatisfiable } from './gen/bigfleet/v1alpha1/capacity.ts';
import {
  canonicalProfile, fingerprint, OPERATOR_NUMBER, operatorOf, profileKey, sameRequirement, strictSpread, WHEN_UNSATISFIABLE_NUMBER,
  whenUnsatisfiableOf, withoutSame, type Operator, type Profile, type WhenUnsatisfiable,
} from './profile.ts';

const plain: Profile = { requirements: [], spread: [], priority: 0, interruptionBucket: 0, reclamationBucket: 0 };

describe('fingerprint', () => {
  test('of an empty profile', () => {
    expect(fingerprint(plain)).toBe('p=0|ipb=0|rpb=0|reqs=|spr=');
  });

  test('of a full one', () => {
    expect(
      fingerprint({
        requirements: [
          { key: 'topology.kubernetes.io/zone', operator: 'In', values: ['b', 'a'] },
          { key: 'topology.bigfleet/rack', operator: 'Same', values: [] },
          { key: 'node.kubernetes.io/instance-type', operator: 'Exists', values: [] },
          { key: 'topology.kubernetes.io/zone', operator: 'NotIn', values: ['c'] },
        ],
        spread: [
          { topologyKey: 'topology.kubernetes.io/zone', maxSkew: 1, whenUnsatisfiable: 'DoNotSchedule' },
          { topologyKey: 'kubernetes.io/hostname', maxSkew: 2, whenUnsatisfiable: 'ScheduleAnyway' },
        ],
        priority: -5,
        interruptionBucket: 16,
        reclamationBucket: 27,
      }),
    ).toBe(
      'p=-5|ipb=16|rpb=27|reqs=node.kubernetes.io/instance-type:3:;topology.bigfleet/rack:5:;topology.kubernetes.io/zone:1:a,b;topology.kubernetes.io/zone:2:c;' +
        '|spr=kubernetes.io/hostname:2:2;topology.kubernetes.io/zone:1:1;',
    );
  });

  test('does not depend on any order, repeated keys included', () => {
    fc.assert(
      fc.property(anyProfile, fc.nat(), (profile, turn) => {
        const other: Profile = {
          ...profile,
          requirements: rotated(profile.requirements, turn).map((r) => ({ ...r, values: rotated(r.values, turn) })),
          spread: rotated(profile.spread, turn),
        };
        expect(fingerprint(other)).toBe(fingerprint(profile));
        expect(profileKey(other)).toBe(profileKey(profile));
        expect(canonicalProfile(other)).toEqual(canonicalProfile(profile));
      }),
    );
  });

  test('keeps repeated values, as others do', () => {
    expect(fingerprint({ ...plain, requirements: [{ key: 'k', operator: 'In', values: ['a', 'a'] }] })).toContain('k:1:a,a;');
  });

  test('sorts by code point', () => {
    const text = fingerprint({ ...plain, requirements: [{ key: 'k', operator: 'In', values: ['\u{1f600}', '\u{ff5e}'] }] });
    expect(text).toContain('k:1:\u{ff5e},\u{1f600};');
  });
});

describe('profile key', () => {
  test('tells apart what the fingerprint cannot', () => {
    const joined: Profile = { ...plain, requirements: [{ key: 'k', operator: 'In', values: ['a,b'] }] };
    const apart: Profile = { ...plain, requirements: [{ key: 'k', operator: 'In', values: ['a', 'b'] }] };
    expect(fingerprint(joined)).toBe(fingerprint(apart));
    expect(profileKey(joined)).not.toBe(profileKey(apart));
  });

  test('does not depend on the order of requirements whose values read alike', () => {
    const requirements = [
      { key: 'k', operator: 'In', values: ['a,b'] },
      { key: 'k', operator: 'In', values: ['a', 'b'] },
    ] as const;
    expect(profileKey({ ...plain, requirements: [...requirements].reverse() })).toBe(profileKey({ ...plain, requirements }));
  });

  test('is equal exactly for equal canonical profiles', () => {
    fc.assert(
      fc.property(anyProfile, anyProfile, (a, b) => {
        expect(profileKey(a) === profileKey(b)).toBe(JSON.stringify(canonicalProfile(a)) === JSON.stringify(canonicalProfile(b)));
      }),
    );
  });

  test.each([['priority'], ['interruptionBucket'], ['reclamationBucket']] as const)('and the fingerprint change with %s', (field) => {
    expect(profileKey({ ...plain, [field]: 1 })).not.toBe(profileKey(plain));
    expect(fingerprint({ ...plain, [field]: 1 })).not.toBe(fingerprint(plain));
  });
});

describe('parts with an effect', () => {
  const profile = canonicalProfile({
    ...plain,
    requirements: [
      { key: 'zone', operator: 'Same', values: [] },
      { key: 'rack', operator: 'Same', values: ['r1'] },
      { key: 'arch', operator: 'In', values: ['arm64'] },
    ],
    spread: [
      { topologyKey: 'a', maxSkew: 1, whenUnsatisfiable: 'ScheduleAnyway' },
      { topologyKey: 'z', maxSkew: 3, whenUnsatisfiable: 'DoNotSchedule' },
      { topologyKey: 'm', maxSkew: 2, whenUnsatisfiable: 'DoNotSchedule' },
    ],
  });

  test('the first Same makes the gang, the first DoNotSchedule the spread', () => {
    expect(sameRequirement(profile)?.key).toBe('rack');
    expect(strictSpread(profile)).toEqual({ topologyKey: 'm', maxSkew: 2, whenUnsatisfiable: 'DoNotSchedule' });
    expect(sameRequirement(plain)).toBeUndefined();
    expect(strictSpread(plain)).toBeUndefined();
  });

  test('without Same everything else stays', () => {
    expect(withoutSame(profile)).toEqual({ ...profile, requirements: [{ key: 'arch', operator: 'In', values: ['arm64'] }] });
  });
});

test('numbers are those of the wire', () => {
  const wire: Record<string, number> = { ...NodeSelectorRequirement_Operator };
  for (const [name, number] of Object.entries(OPERATOR_NUMBER)) {
    expect(number).toBe(wire[`OPERATOR_${upperSnake(name)}`]);
    expect(operatorOf(number)).toBe(name);
  }
  expect([0, 6, -1, 0.5].map(operatorOf)).toEqual([undefined, undefined, undefined, undefined]);
  const when: Record<string, number> = { ...TopologySpread_WhenUnsatisfiable };
  for (const [name, number] of Object.entries(WHEN_UNSATISFIABLE_NUMBER)) {
    expect(number).toBe(when[`WHEN_UNSATISFIABLE_${upperSnake(name)}`]);
    expect(whenUnsatisfiableOf(number)).toBe(name);
  }
  expect(whenUnsatisfiableOf(99)).toBe('Unspecified');
});

function upperSnake(name: string): string {
  return name.replace(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase();
}

function rotated<T>(items: readonly T[], by: number): T[] {
  const at = items.length ? by % items.length : 0;
  return [...items.slice(at), ...items.slice(0, at)];
}

const name = fc.constantFrom('a', 'b', 'a,b', 'a;', ':', '');
const anyProfile: fc.Arbitrary<Profile> = fc.record({
  requirements: fc.array(
    fc.record({ key: name, operator: fc.constantFrom<Operator>('In', 'NotIn', 'Exists', 'DoesNotExist', 'Same'), values: fc.array(name, { maxLength: 3 }) }),
    { maxLength: 4 },
  ),
  spread: fc.array(
    fc.record({ topologyKey: name, maxSkew: fc.integer({ min: 1, max: 2 }), whenUnsatisfiable: fc.constantFrom<WhenUnsatisfiable>('Unspecified', 'DoNotSchedule', 'ScheduleAnyway') }),
    { maxLength: 3 },
  ),
  priority: fc.integer({ min: -1, max: 1 }),
  interruptionBucket: fc.integer({ min: 0, max: 1 }),
  reclamationBucket: fc.integer({ min: 0, max: 1 }),
});
