import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';
import type { Log } from '../runtime/types.ts';
import type { InventoryChange } from './inventory.ts';
import { OfferRests } from './offer-rests.ts';
import type { OfferRestsOptions } from './offer-rests.ts';
import { Rests } from './rests.ts';

/** A machine that a provider refused, or that failed on its way. */
const MACHINE = { minMs: 30_000, maxMs: 900_000 };
/** A cluster whose operator cannot make a bootstrap blob, or where machines fail while they join. */
const CLUSTER = { minMs: 1_000, maxMs: 30_000 };
/** A cluster whose machines the provider binds to another one: each try more is a machine bought for nobody. */
const STRAY = { minMs: 30_000, maxMs: 3_600_000 };
/** An offer that is out of stock or beyond a quota. */
const OFFER = { minMs: 30_000, maxMs: 300_000 };

/**
 * What failed of one provider rests by itself and holds up nobody else (spec: engine 17, 20): the machine, the cluster or the offer, whichever
 * the failure is about, later and later while it goes on failing. Nothing is ever given up for good. In memory: a restart
 * begins anew.
 */
export class Setbacks {
  readonly machines: Rests;
  readonly clusters: Rests;
  readonly offers: OfferRests;
  /** For how long nothing is configured for a cluster, for whichever reason. */
  readonly clusterRests: Pick<Rests, 'failed' | 'restMs'> = {
    failed: (cluster) => this.clusters.failed(cluster),
    restMs: (cluster) => Math.max(this.clusters.restMs(cluster), this.strays.restMs(cluster)),
  };
  private readonly strays: Rests;
  private readonly log: Log;
  private readonly clock: Clock;
  private readonly inventory: OfferRestsOptions['inventory'];

  constructor({ clock, random, inventory, log }: { readonly clock: Clock; readonly random: Random; readonly inventory: OfferRestsOptions['inventory']; readonly log: Log }) {
    this.clock = clock;
    this.inventory = inventory;
    this.log = log;
    this.strays = new Rests(clock, random, STRAY);
    this.machines = new Rests(clock, random, MACHINE);
    this.clusters = new Rests(clock, random, CLUSTER);
    this.offers = new OfferRests({ clock, inventory, log, rests: new Rests(clock, random, OFFER) });
  }

  /** Feed it every change: providers accept at once, and fail later. */
  observe(change: InventoryChange): void {
    const { before, after, id } = change;
    if (!before || !after || before.seen.state !== after.seen.state) this.offers.observe(change);
    if (!before || !after || before.seen.state === after.seen.state) return;
    const was = before.seen.state;
    this.lookForStray(change);
    switch (after.seen.state) {
      case 'Failed':
        if (was === 'Creating' || was === 'Configuring') this.machines.failed(id);
        if (was === 'Configuring') this.clusters.failed(before.seen.cluster);
        return;
      case 'Configured':
        if (was !== 'Configuring') return;
        this.machines.succeeded(id);
        this.clusters.succeeded(after.seen.cluster);
        return;
      case 'Idle':
      case 'Speculative':
        if (was === 'Failed') this.rest(id);
        if (before.intent?.kind !== 'bind' || !(was === 'Configuring' || (was === 'Creating' && after.seen.state === 'Speculative'))) return;
        // It came to nothing, and the provider does not call it Failed.
        this.machines.failed(id);
        if (was === 'Configuring') this.clusters.failed(before.intent.to.cluster);
        this.rest(id);
        return;
      default:
        if (was === 'Failed') this.rest(id);
    }
  }

  /** A provider that does not keep the cluster as it is named to it would be asked for one machine after the other. */
  private lookForStray({ id, before, after }: InventoryChange): void {
    const intent = before?.intent;
    if (intent?.kind !== 'bind' || !intent.configureSent || !after || (after.seen.state !== 'Configuring' && after.seen.state !== 'Configured')) return;
    const [asked, said] = [intent.to.cluster, after.seen.cluster];
    if (said === asked) return this.strays.succeeded(asked);
    const restMs = this.strays.failed(asked);
    this.log.error({ machine: id, asked, said, restMs }, 'the provider has bound a machine to another cluster than it was told to; nothing more is configured for that cluster for a while');
  }

  /** Repaired at once it may fail again at once: it rests as if it had been refused. */
  private rest(id: string): void {
    const restMs = this.machines.restMs(id);
    const until = this.clock.now() + restMs;
    if (restMs === 0 || (this.inventory.get(id)?.coolUntil ?? 0) >= until) return;
    this.inventory.update(id, { coolUntil: until });
    // Nothing is decided of it, so nobody would look at it again, and the engine hears only of changes.
    this.clock.after(restMs, () => {
      if (this.inventory.get(id)?.coolUntil === until) this.inventory.update(id, { coolUntil: 0 });
    });
  }
}
