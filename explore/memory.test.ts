import { queryObjects } from 'node:v8';
import { expect, it } from 'vitest';
import { Timeline } from './world/timeline.ts';
import { playSeed } from './world/world.ts';

/** After a collection of garbage. */
function worldsInMemory(): number {
  return queryObjects(Timeline, { format: 'count' });
}

/**
 * Processes that were killed wait for ever for what never comes. Whatever holds on to them from outside of their world (Node
 * keeps a signal made by AbortSignal.any while somebody listens to it) keeps all of it, and some hundred worlds are too many.
 */
it('a world that is over is forgotten', { timeout: 60_000 }, async () => {
  for (const seed of [4, 13]) await playSeed(seed);
  // Locals of a function that has just ended may still be on some stack.
  await new Promise((resolve) => setImmediate(resolve));
  expect(worldsInMemory()).toBe(0);
});
