import { describe, expect, it } from 'vitest';
import { clusterFlags } from './world.ts';

describe('--cluster', () => {
  it('takes ids with ports, and 0 as often as one likes', () => {
    expect(clusterFlags(['a=7001', 'b=0', 'c=0'], 0)).toEqual([{ id: 'a', port: 7001 }, { id: 'b', port: 0 }, { id: 'c', port: 0 }]);
  });

  it.each([
    [['a'], 'is not ID=PORT'],
    [['a=1=2'], 'is not ID=PORT'],
    [['a=70000'], '--cluster: "70000" must be a whole number from 0 to 65535'],
    [['a=7001', 'a=7002'], '--cluster: "a=7002": the id a is given twice'],
    [['a=7001', 'b=7001'], '--cluster: "b=7001": port 7001 is taken by --cluster a=7001'],
    [['a=7000'], '--cluster: "a=7000": port 7000 is taken by --hub-port'],
    [['hub=7001'], 'the id hub is the hub\'s own'],
  ])('refuses %j', (flags, message) => {
    expect(() => clusterFlags(flags, 7000)).toThrow(expect.objectContaining({ name: 'UsageError', message: expect.stringContaining(message) as string }));
  });
});
