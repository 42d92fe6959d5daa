import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { MachineNews } from './machine-news.ts';
import { frame, type StateName } from './testing/machines.ts';

describe('news of a machine whose life here was cleared away', () => {
  function buried(how: 'left' | 'unnamed'): MachineNews {
    const news = new MachineNews(new VirtualClock());
    if (how === 'unnamed') news.replayed([], ['m-1']);
    else news.record(frame('m-1', 'IDLE'));
    news.bury('m-1', news.get('m-1')!);
    return news;
  }

  it.each<['left' | 'unnamed', StateName]>([
    ['left', 'IDLE'], ['left', 'SPECULATIVE'], ['left', 'DELETING'],
    // Somebody else's machine by now: to announce it here would be a lie.
    ['unnamed', 'IDLE'], ['unnamed', 'SPECULATIVE'],
  ])('are late when it %s and they say %s', (how, state) => {
    const news = buried(how);
    expect(news.record(frame('m-1', state))).toBe(false);
    expect(news.get('m-1')).toBeUndefined();
    expect(news.burialOf('m-1')).toMatchObject({ isKnown: how === 'left' });
  });

  it.each<['left' | 'unnamed', StateName]>([
    ['left', 'CREATING'], ['left', 'CONFIGURED'], ['unnamed', 'CONFIGURED'],
    ['unnamed', 'DELETING'], // its departure, which nobody has told yet
  ])('are new when it %s and they say %s', (how, state) => {
    const news = buried(how);
    expect(news.record(frame('m-1', state))).toBe(true);
    expect(news.get('m-1')).toMatchObject({ kind: 'frame' });
    expect(news.burialOf('m-1')).toBeUndefined();
  });
});
