import { beforeEach, describe, expect, it } from 'vitest';
import { sleep } from '../../src/lib/clock.ts';
import { Process } from './process.ts';
import { Timeline } from './timeline.ts';

let timeline: Timeline;
let process: Process;
let done: string[];
const at = (what: string) => (): void => void done.push(`${what} ${timeline.now}`);

beforeEach(() => {
  timeline = new Timeline();
  process = new Process('p', timeline);
  done = [];
});

describe('time', () => {
  it('passes from event to event, those of one instant in the order they were set', async () => {
    timeline.after(5, at('c'));
    timeline.after(1, at('a'));
    timeline.after(5, at('d'));
    const cancel = timeline.after(3, at('x'));
    timeline.after(2, () => (at('b')(), cancel()));
    await timeline.run(4);
    expect([done, timeline.now]).toEqual([['a 1', 'b 2'], 4]);
    await timeline.run(10);
    expect(done.slice(2)).toEqual(['c 5', 'd 5']);
  });

  it('has no steps below a millisecond, in which waiting would never end', async () => {
    timeline.after(0.1 + 0.2, at('a'));
    await timeline.run(1);
    expect(done).toEqual(['a 1']);
  });

  it('lets promises go on before the next event', async () => {
    void (async () => {
      for (let i = 0; i < 3; i++) {
        await sleep(process.clock, 10);
        at('woke')();
      }
    })();
    await timeline.run(25);
    expect(done).toEqual(['woke 10', 'woke 20']);
  });
});

describe('a process', () => {
  it('that is paused neither hears nor says anything, and its clock goes on; resumed it does all of it in order', async () => {
    process.clock.after(10, at('timer'));
    process.pause();
    process.enter(at('heard'));
    process.leave(at('said'));
    const before = process.clock.monotonic();
    await timeline.run(50);
    expect([done, process.clock.monotonic() - before]).toEqual([[], 50]);
    process.resume();
    await timeline.run(60);
    expect(done).toEqual(['heard 50', 'said 50', 'timer 50']);
  });

  it('that is paused again before it has caught up holds the rest back', async () => {
    process.pause();
    process.enter(() => (at('first')(), process.pause()));
    process.enter(at('second'));
    process.resume();
    await timeline.run(10);
    expect(done).toEqual(['first 0']);
    process.resume();
    await timeline.run(20);
    expect(done).toEqual(['first 0', 'second 10']);
  });

  it('that is dead does nothing any more, also what it was about to do; its end is told once', async () => {
    process.onEnd(at('ended'));
    process.onEnd(at('never'))();
    process.clock.after(10, at('timer'));
    process.pause();
    process.enter(at('heard'));
    process.kill();
    process.kill();
    process.resume();
    process.leave(at('said'));
    await timeline.run(50);
    expect([done, process.isAlive]).toEqual([['ended 0'], false]);
  });
});
