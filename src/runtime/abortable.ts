/** The promise's outcome, or a rejection with the signal's reason if that comes first. Leaves no listener behind. */
export async function abortable<R>(promise: Promise<R>, signal: AbortSignal | undefined): Promise<R> {
  if (!signal) return await promise;
  if (signal.aborted) {
    promise.catch(() => {}); // nobody waits for it any more
    signal.throwIfAborted();
  }
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
