import { sleep, type Clock } from '../../lib/clock.ts';
import { BackendError, type FailureClass } from '../kit/backend-error.ts';

/** What can be made to go wrong with an action on the substrate, and how that shows. */
export const faults = {
  error: 'fails at once',
  'no-capacity': 'fails: there is no such machine to be had',
  quota: 'fails: the account may have no more of them',
  throttled: 'fails: too many requests',
  invalid: 'fails: the request cannot work',
  timeout: 'blocks until it is given up',
  hang: 'never ends, not even when it is given up',
  slow: 'takes long, and succeeds',
  'slow-ok': 'goes on when it is given up, and succeeds later',
} as const;

export type Fault = keyof typeof faults;

export interface FaultTimes {
  /** What an action takes that nothing is wrong with. */
  readonly latencyMs: number;
  /** When the kit gives an action up. */
  readonly timeoutMs: number;
  /** What a slow one takes. */
  readonly slowMs: number;
}

/** How much later than its end a `slow-ok` succeeds. */
const LATE_BY_MS = 500;

const said: Partial<Record<Fault, readonly [FailureClass, words: string]>> = {
  error: ['Unknown', 'injected failure'],
  'no-capacity': ['OutOfStock', 'out of capacity: no machine of this type is available in this zone (injected)'],
  quota: ['Quota', 'quota exceeded: no more machines of this type are allowed (injected)'],
  throttled: ['Throttled', 'rate limit exceeded: too many requests, try again later (injected)'],
  invalid: ['Invalid', 'invalid request: this machine cannot be asked for that (injected)'],
};

export function isFault(text: string): text is Fault {
  return Object.hasOwn(faults, text);
}

/** Takes as long and ends as the fault wants; without one, well and soon. `by` names the selector, for the error. */
export async function act(fault: Fault | undefined, by: string, times: FaultTimes, clock: Clock, signal: AbortSignal): Promise<void> {
  switch (fault) {
    case undefined:
      return sleep(clock, times.latencyMs, signal);
    case 'slow':
      return sleep(clock, times.slowMs, signal);
    case 'slow-ok':
      return sleep(clock, times.timeoutMs + LATE_BY_MS);
    case 'hang':
      return new Promise(() => {});
    case 'timeout':
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }));
    default: {
      await sleep(clock, times.latencyMs, signal);
      const [kind, words] = said[fault] ?? ['Unknown', fault];
      throw new BackendError(kind, `${words}: ${by}`);
    }
  }
}
