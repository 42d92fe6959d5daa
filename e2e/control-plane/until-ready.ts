import http from 'node:http';
import https from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';

import type { GuardedProcess } from './guarded-process.ts';

const POLL_MS = 100;
const REQUEST_TIMEOUT_MS = 5_000;
/** Far above the usual 5 s: a shared machine may be busy compiling. */
const READY_TIMEOUT_MS = 180_000;

export interface Probe {
  readonly url: string;
  /** Certificates to trust, PEM; read anew for each try, because a server may write its own while it starts. */
  readonly ca?: () => string | undefined;
  readonly token?: string;
}

/**
 * Waits until the probe answers 200. Throws when one of the processes it depends on ends, or, naming the last
 * answer, when it takes too long.
 */
export async function untilReady(what: string, probe: Probe, processes: readonly GuardedProcess[]): Promise<void> {
  const deadline = performance.now() + READY_TIMEOUT_MS;
  for (;;) {
    const answer = await ask(probe);
    if (answer === '200') return;
    const ending = processes.map((process) => process.ending).find((text) => text !== undefined);
    if (ending !== undefined) throw new Error(`${what} cannot become ready: ${ending}`);
    if (performance.now() > deadline) throw new Error(`${what} was not ready after ${READY_TIMEOUT_MS / 1_000} s; ${probe.url} answered ${answer}`);
    await delay(POLL_MS);
  }
}

/** The status code, or the reason why there is none. */
function ask({ url, ca, token }: Probe): Promise<string> {
  const trusted = ca?.();
  if (ca !== undefined && trusted === undefined) return Promise.resolve('no certificate yet');
  const get = url.startsWith('https:') ? https.get : http.get;
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return new Promise((resolve) => {
    const options = { headers, agent: false, timeout: REQUEST_TIMEOUT_MS, ...(trusted === undefined ? {} : { ca: trusted }) };
    const request = get(url, options, (response) => {
      response.resume().on('error', () => undefined);
      resolve(String(response.statusCode));
    });
    request.on('timeout', () => request.destroy(new Error('no answer in time')));
    request.on('error', (error) => resolve(error.message));
  });
}
