import { describe, expect, it } from 'vitest';
import { areas, profiles } from './behaviour.ts';
import { catalogue, required } from './catalogue.ts';
import { select } from './select.ts';

const ids = (profile: string, only?: string): string[] => select(profile, only).behaviours.map((b) => b.id);

describe('the catalogue', () => {
  it('has the numbers of the contract per area', () => {
    const count = (area: string): number => catalogue.filter((b) => b.area === area).length;
    expect(Object.fromEntries(areas.map((area) => [area, count(area)]))).toEqual({
      baseline: 25, lifecycle: 8, errors: 15, fencing: 11, concurrency: 9, metadata: 5, faults: 8, fieldshape: 7, list: 9, durability: 7, scale: 9, property: 5,
    });
    expect(new Set(catalogue.map((b) => b.id)).size).toBe(25 + 93);
  });

  it('never uses an id for two promises, and leaves the gaps of the contract', () => {
    for (const gap of ['B102', 'B304', 'B601']) expect(catalogue.some((b) => b.id === gap)).toBe(false);
    for (const { id, promise } of catalogue) expect(promise, id).toMatch(/^\S.*[^.\s]$/);
  });
});

describe('--profile', () => {
  it.each([['core', 69], ['cloud', 5], ['spot', 1], ['fault', 8], ['durable', 7], ['scale', 9], ['core,cloud,spot', 69], ['core,cloud,spot,fault,scale,durable', 93]])(
    '%s requires the baseline and %i behaviours',
    (profile, count) => expect(ids(profile).length).toBe(25 + count),
  );

  it('bare-metal is core without what needs a working Delete', () => {
    const missing = ids('core').filter((id) => !ids('bare-metal').includes(id));
    expect(missing).toEqual(['B109', 'B409', 'B807']);
  });

  it('knows who in core belongs to cloud and spot', () => {
    const of = (profile: (typeof profiles)[number]): string[] => required(new Set([profile])).filter((b) => b.area !== 'baseline').map((b) => b.id);
    expect([of('cloud'), of('spot')]).toEqual([['B109', 'B204', 'B215', 'B409', 'B807'], ['B802']]);
  });

  it.each([
    ['corr', undefined, '--profile: "corr" is not a profile; there are core'],
    [',', undefined, '--profile: name at least one'],
    ['bare-metal,cloud', undefined, '--profile: bare-metal is core for a provider that cannot delete'],
    ['core', 'B102', '--only: there is no behaviour "B102"; --list shows them'],
    ['core', ' ', '--only: name at least one behaviour'],
  ])('refuses %j with --only %j', (profile, only, message) => {
    expect(() => select(profile, only)).toThrow(expect.objectContaining({ name: 'UsageError', message: expect.stringContaining(message) as string }));
  });

  it('--only names behaviours of any profile, in the order of the catalogue', () => {
    expect(ids('core', 'B1201, B701,GetUnknownMachine')).toEqual(['GetUnknownMachine', 'B1201', 'B701']);
  });
});
