import { createServer } from 'node:net';
import type { CapacityProvider, Machine } from '../api/types.ts';
import { readTls, type ServerTlsFiles } from '../api/tls-listener.ts';
import { sleep } from '../lib/clock.ts';
import type { Clock } from '../lib/clock.ts';
import type { Informer, Log } from '../runtime/types.ts';
import { checkEpoch } from './epoch.ts';
import { machineFromObject } from './machine-object.ts';
import type { Holdings } from './provider/holdings.ts';

export interface StartOptions {
  readonly dataDir: string;
  readonly listen: string;
  readonly tlsFiles?: ServerTlsFiles;
  readonly metricsAddress: string;
}

/** Finds out at once what would otherwise only fail after the hub has answered: a port in use, an unreadable epoch or certificate. */
export async function checkStart({ dataDir, listen, tlsFiles, metricsAddress }: StartOptions): Promise<void> {
  checkEpoch(dataDir);
  if (tlsFiles) readTls(tlsFiles);
  await checkFree('--listen', listen);
  if (metricsAddress !== '0') await checkFree('--metrics-addr', metricsAddress);
}

async function checkFree(flag: string, address: string): Promise<void> {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '');
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once('error', (error) => reject(new Error(`${flag} ${address}: cannot listen: ${error.message}`)));
    probe.listen({ port: Number(address.slice(colon + 1)), ...(host !== '' && { host }) }, () => probe.close(() => resolve()));
  });
}

const LOOK_MS = 500;
const REMIND_EVERY = 60;

/** The providers whose spec.shardRef names this shard, by name; waits, and says so, while there is none. Rejects when the signal aborts. */
export async function waitForProviders(providers: Informer<CapacityProvider>, shardId: string, { clock, log, signal }: { clock: Clock; log: Log; signal: AbortSignal }): Promise<readonly CapacityProvider[]> {
  await providers.waitForSync(signal);
  for (let looks = 0; ; looks++) {
    const ours = [...providers.store.values()].filter((p) => p.spec.shardRef === shardId).sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
    if (ours.length > 0) return ours;
    if (looks % REMIND_EVERY === 0) log.warn({ shard: shardId }, 'no CapacityProvider has a spec.shardRef that names this shard: waiting for one');
    await sleep(clock, LOOK_MS, signal);
  }
}

/**
 * Puts the machines of one provider that the objects describe into the inventory, so that the first List is compared with what
 * an earlier process knew.
 */
export function recallMachines(objects: Iterable<Machine>, shard: string, holdings: Holdings): void {
  for (const object of objects) {
    if (object.spec.shardRef !== shard || object.spec.providerRef !== holdings.provider) continue;
    const machine = machineFromObject(object);
    if (machine) holdings.recall(machine);
  }
}
