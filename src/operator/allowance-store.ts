import { ALLOWANCES_CONFIG_MAP } from '../api/constants.ts';
import { ConfigMapResource } from '../api/resources.ts';
import type { ConfigMap } from '../api/types.ts';
import { sleep, type Clock } from '../lib/clock.ts';
import { isApiError, isNotFound } from '../runtime/client/api-error.ts';
import type { KubeClient, Log, Runnable } from '../runtime/types.ts';
import type { Allowances, SavedAllowances } from './allowances.ts';

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
    try {
      const text = (await client.get<ConfigMap>(ConfigMapResource, { namespace, name: ALLOWANCES_CONFIG_MAP }, { signal }))?.data?.[KEY];
      if (text === undefined) return;
      allowances.restore(JSON.parse(text) as SavedAllowances);
      this.written = text;
    } catch (error) {
      if (!(error instanceof SyntaxError) && !(isApiError(error) && error.status === 403)) throw error;
      log.warn({ configMap: `${namespace}/${ALLOWANCES_CONFIG_MAP}`, err: error }, 'saved allowances cannot be read; starting without');
    }
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
