import { offers } from '../sim/built-in-seeds.ts';
import type { Instance } from '../kit/machine.ts';
import { LABEL_PREFIX } from './selectors.ts';

/** Healthy slots first, then slots whose Create fails, each of both kinds with every capacity type among them. */
export function faultSeeds(healthy: number, createErrors: number): Instance[] {
  return offers(healthy + createErrors, 'fault').map((slot, i) =>
    i < healthy ? slot : { ...slot, labels: { ...slot.labels, [`${LABEL_PREFIX}create`]: 'error' } });
}
