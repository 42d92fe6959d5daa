import { ALLOWANCES_CONFIG_MAP } from '../api/constants.ts';
import { ConfigMapResource } from '../api/resources.ts';
import type { ConfigMap } from '../api/types.ts';
import { sleep, type Clock } from '../lib/clock.ts';
import { isApiError, isNotFound } from '../runtime/client/api-error.ts';
import type { KubeClient, Log, Runnable } from '../runtime/types.ts';
import type { Allowances } from './allowances.ts';
import { parseSavedAllowances } from './saved-allowances.ts';

export interface AllowanceStoreOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly allowances: Allowances;
  readonly clock: Clock;
  readonly log: Log;
  /** How often changes are written. */
  readonly intervalMs: number;
}

const KEY = 'allowances.json';
const NAMED_PROBLEMS = 5;

/** Keeps the allowances in a ConfigMap (D3), so that a restarted operator does not give back what it had found necessary. */
export class AllowanceStore implements Runnable {
  readonly name = 'allowances';
  private readonly options: AllowanceStoreOptions;
  private written = '{}';

  constructor(options: AllowanceStoreOptions) {
    this.options = options;
  }

  /** Call before the first roll-up. What cannot be read counts as nothing: it is found again by feedback. */
  async load(signal: AbortSignal): Promise<void> {
    const { client, namespace, allowances, log } = this.options;
    const configMap = `${namespace}/${ALLOWANCES_CONFIG_MAP}`;
    let text: string | undefined;
    try {
      text = (await client.get<ConfigMap>(ConfigMapResource, { namespace, name: ALLOWANCES_CONFIG_MAP }, { signal }))?.data?.[KEY];
    } catch (error) {
      if (!(isApiError(error) && error.status === 403)) throw error;
      log.warn({ configMap, err: error }, 'saved allowances may not be read; starting without');
    }
    if (text === undefined) return;
    const { saved, problems } = parseSavedAllowances(text);
    if (problems.length > 0) {
      const named = problems.slice(0, NAMED_PROBLEMS);
      log.warn({ configMap, key: KEY, problems: named, count: problems.length }, 'saved allowances are not all in order; going on without the bad ones');
    }
    allowances.restore(saved);
    this.written = text;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, intervalMs, log } = this.options;
    while (!signal.aborted) {
      await sleep(clock, intervalMs, signal).catch(() => {});
      await this.save(signal).catch((error: unknown) => {
        if (!signal.aborted) log.warn({ err: error }, 'allowances could not be saved; trying again');
      });
    }
  }

  private async save(signal: AbortSignal): Promise<void> {
    const { client, namespace, allowances } = this.options;
    const text = JSON.stringify(allowances.save());
    if (text === this.written || signal.aborted) return;
    const ref = { namespace, name: ALLOWANCES_CONFIG_MAP };
    try {
      await client.patch(ConfigMapResource, ref, { data: { [KEY]: text } }, { signal });
    } catch (error) {
      if (!isNotFound(error)) throw error;
      await client.create<ConfigMap>(ConfigMapResource, { apiVersion: 'v1', kind: 'ConfigMap', metadata: ref, data: { [KEY]: text } }, { signal });
    }
    this.written = text;
  }
}
