import type { Clock } from './clock.ts';

/** A signal that aborts with `parent` or after `ms` on the given clock; call `clear` when the work is over. */
export function deadline(clock: Clock, ms: number, parent: AbortSignal): { readonly signal: AbortSignal; clear(): void } {
  const controller = new AbortController();
  const abort = (): void => controller.abort(parent.reason);
  if (parent.aborted) abort();
  parent.addEventListener('abort', abort, { once: true });
  const cancel = clock.after(ms, () => controller.abort(new Error(`deadline of ${ms} ms exceeded`)));
  return {
    signal: controller.signal,
    clear() {
      cancel();
      parent.removeEventListener('abort', abort);
    },
  };
}
