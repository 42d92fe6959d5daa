import { expect, it } from 'vitest';
import { VirtualClock } from '../../lib/virtual-clock.ts';
import { silentLog } from '../types.ts';
import { createCaller } from './caller.ts';
import type { Transport, TransportRequest } from './transport.ts';

it('a call whose signal aborts as its turn comes is given up at once', async () => {
  const stop = new AbortController();
  const over = new Error('over');
  const transport = {
    call: ({ signal }: TransportRequest) => new Promise((_resolve, reject) => {
      if (signal.aborted) reject(signal.reason as Error);
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    }),
  } as unknown as Transport;
  const bucket = { reserve: () => 0, tryTake: () => true, take: async () => stop.abort(over) };
  const clock = new VirtualClock();
  const call = createCaller({ transport, bucket, clock, random: () => 0, log: silentLog });
  let outcome: unknown;
  call({ method: 'GET', path: '/', signal: stop.signal }).catch((error: unknown) => (outcome = error));
  await clock.advance(0);
  expect([outcome, clock.pending]).toEqual([over, 0]);
});
