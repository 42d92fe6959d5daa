import { describe, expect, it } from 'vitest';
import { attribute, INSTANCE_TYPE_KEY, matches, strictSpreadOf, ZONE_KEY } from './match.ts';
import { profile, requirement, sameZone, zoneSpread } from './testing/builders.ts';

const ARCH = 'kubernetes.io/arch';
const fleet = {
  none: { instanceType: 't1', zone: 'z1', labels: {} },
  arm: { instanceType: 't1', zone: 'z1', labels: { [ARCH]: 'arm64' } },
  amd: { instanceType: 't2', zone: 'z2', labels: { [ARCH]: 'amd64' } },
  blank: { instanceType: 't3', zone: 'z3', labels: { [ARCH]: '' } },
};

describe('matching', () => {
  it.each([
    ['In names the value', requirement(ARCH, 'In', 'amd64'), ['amd']],
    ['In with no values never holds', requirement(ARCH, 'In'), []],
    ['NotIn holds for absent labels too', requirement(ARCH, 'NotIn', 'arm64'), ['none', 'amd', 'blank']],
    ['Exists counts an empty label as present', requirement(ARCH, 'Exists'), ['arm', 'amd', 'blank']],
    ['DoesNotExist wants the label away', requirement(ARCH, 'DoesNotExist'), ['none']],
    ['Same wants the label, whatever its value', requirement(ARCH, 'Same'), ['arm', 'amd', 'blank']],
    ['Same with values wants one of them', requirement(ARCH, 'Same', 'arm64'), ['arm']],
    ['the zone field answers for the zone label', requirement(ZONE_KEY, 'In', 'z2'), ['amd']],
    ['the type field answers for the type label', requirement(INSTANCE_TYPE_KEY, 'In', 't2', 't1'), ['none', 'arm', 'amd']],
  ])('%s', (_, asked, expected) => {
    const matching = Object.entries(fleet).filter(([, m]) => matches(profile({ requirements: [asked] }), m));
    expect(matching.map(([name]) => name)).toEqual(expected);
  });

  it('wants every requirement to hold', () => {
    const both = profile({ requirements: [requirement(ARCH, 'Exists'), requirement(ZONE_KEY, 'In', 'z1')] });
    expect(Object.entries(fleet).filter(([, m]) => matches(both, m)).map(([name]) => name)).toEqual(['arm']);
  });

  it('falls back to the label when type or zone is empty', () => {
    const machine = { instanceType: '', zone: '', labels: { [ZONE_KEY]: 'zl', [INSTANCE_TYPE_KEY]: 'tl' } };
    expect(attribute(ZONE_KEY, machine)).toBe('zl');
    expect(attribute(INSTANCE_TYPE_KEY, machine)).toBe('tl');
    expect(attribute(ZONE_KEY, { ...machine, zone: 'zf' })).toBe('zf');
  });

  it('sees no label that an object merely inherits', () => {
    expect(attribute('constructor', fleet.none)).toBeUndefined();
  });
});

describe('strict spread', () => {
  it('is the first DoNotSchedule term', () => {
    const terms = [{ ...zoneSpread(2, 'ScheduleAnyway'), topologyKey: 'a' }, zoneSpread(3)];
    expect(strictSpreadOf(profile({ spread: terms }))).toEqual({ key: ZONE_KEY, maxSkew: 3 });
  });

  it('has no effect next to Same', () => {
    expect(strictSpreadOf(profile({ spread: [zoneSpread(1)], requirements: [sameZone()] }))).toBeUndefined();
  });

  it('takes a skew below 1 as 1', () => {
    expect(strictSpreadOf(profile({ spread: [zoneSpread(0)] }))?.maxSkew).toBe(1);
  });
});
