import {
  InvalidError, OutOfStockError, QuotaError, ThrottledError,
  type ConfigureInstance, type CreatedInstance, type CreateInstance, type DeleteInstance, type DrainInstance, type Instance, type ProviderBackend,
  type RecoverInstance, type Recovery,
} from 'bigfleet/provider-kit';
import { CloudRefusal, realTime, type Cloud, type Time } from './cloud.ts';

const PROVIDER = 'mycloud';
const LOOK_FOR_PODS_EVERY_MS = 5_000;

/** What you are ready to buy: so many slots of a type in a zone. A slot is a machine that could be made. */
export interface Offer {
  readonly type: string;
  readonly zone: string;
  readonly capacityType: 'OnDemand' | 'Spot' | 'Reserved';
  readonly pricePerHour: number;
  readonly interruptionProbability?: number;
  readonly resources: Readonly<Record<string, string>>;
  readonly slots: number;
}

/** Turns BigFleet's machines into servers of a cloud. */
export class CloudBackend implements ProviderBackend {
  /** Each step may be begun again after a restart: createServer is given a token, the others may be repeated. */
  readonly resumable = true;
  private readonly cloud: Cloud;
  private readonly offers: readonly Offer[];
  private readonly time: Time;

  constructor(cloud: Cloud, offers: readonly Offer[], time: Time = realTime) {
    this.cloud = cloud;
    this.offers = offers;
    this.time = time;
  }

  /** All slots, always, under ids that never change. What became of each is the kit's to remember. */
  describe(): Promise<readonly Instance[]> {
    return Promise.resolve(this.offers.flatMap((offer) => Array.from({ length: offer.slots }, (_, i) => slot(offer, i))));
  }

  /** The operation id is the token: a request that is sent again, after a lost answer or a restart, finds the server it made. */
  async createInstance({ machine, operationId }: CreateInstance, signal: AbortSignal): Promise<CreatedInstance> {
    const request = { name: machine.id, type: machine.instanceType, zone: machine.zone, token: operationId };
    const server = await this.cloud.createServer(request, signal).catch(classed);
    return { host: { provider: PROVIDER, ref: `${PROVIDER}:///${server.id}` } };
  }

  /** The blob is the secret of a cluster: hand it on, do not look into it, do not log it. */
  configureInstance({ machine, bootstrapBlob }: ConfigureInstance, signal: AbortSignal): Promise<void> {
    return this.cloud.boot(serverIdOf(machine.host?.ref), bootstrapBlob, signal).catch(classed);
  }

  /** BigFleet evicts the Pods while this runs, heeding their budgets: they have the grace period for it, unless none is left sooner. */
  async drainInstance({ machine, gracePeriodSeconds }: DrainInstance, signal: AbortSignal): Promise<void> {
    const serverId = serverIdOf(machine.host?.ref);
    const end = this.time.now() + Number(gracePeriodSeconds) * 1_000;
    const hasPods = (): Promise<boolean> => this.cloud.hasPods(serverId, signal).catch(() => true);
    while (this.time.now() < end && (await hasPods())) await this.time.pause(Math.min(LOOK_FOR_PODS_EVERY_MS, end - this.time.now()), signal);
    await this.cloud.wipe(serverId, signal);
  }

  deleteInstance({ machine }: DeleteInstance, signal: AbortSignal): Promise<void> {
    return this.cloud.deleteServer(serverIdOf(machine.host?.ref), signal);
  }

  /** A failed machine is replaced: what is left of it goes, by name too, in case a Create failed half-way. Throwing means: later. */
  async recoverInstance({ machine }: RecoverInstance, signal: AbortSignal): Promise<Recovery> {
    if (machine.host) await this.cloud.deleteServer(serverIdOf(machine.host.ref), signal);
    for (const server of await this.cloud.servers(signal)) if (server.name === machine.id) await this.cloud.deleteServer(server.id, signal);
    return 'speculative';
  }
}

/** For `bigfleet conformance --start-stuck`: no Configure ends before its time limit, and what has failed stays FAILED for the suite to see. */
export class StuckBackend extends CloudBackend {
  override configureInstance(_request: ConfigureInstance, signal: AbortSignal): Promise<void> {
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }));
  }

  override recoverInstance(): Promise<Recovery> {
    return Promise.resolve('keep');
  }
}

function slot({ type, zone, capacityType, pricePerHour, interruptionProbability = 0, resources }: Offer, index: number): Instance {
  const id = `${type}-${zone}-${capacityType.toLowerCase()}-${String(index).padStart(4, '0')}`;
  return { id, instanceType: type, zone, capacityType, pricePerHour, interruptionProbability, resources, allocatable: resources, labels: {}, state: 'Speculative' };
}

/** Says what a refusal is about, so that BigFleet leaves that alone for a while: the offer, the whole provider, or the request. */
function classed(error: unknown): never {
  if (!(error instanceof CloudRefusal)) throw error;
  const { code, message, retryAfterSeconds } = error;
  switch (code) {
    case 'NoCapacity':
      throw new OutOfStockError(message, { cause: error });
    case 'QuotaExceeded':
      throw new QuotaError(message, { cause: error });
    case 'TooManyRequests':
      throw new ThrottledError(message, { cause: error, retryAfterMs: (retryAfterSeconds ?? 1) * 1_000 });
    case 'BadRequest':
      throw new InvalidError(message, { cause: error });
  }
}

function serverIdOf(ref: string | undefined): string {
  if (ref === undefined) throw new Error('the machine has no host');
  return ref.slice(`${PROVIDER}:///`.length);
}
