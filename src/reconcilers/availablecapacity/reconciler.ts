import { isDeepStrictEqual } from 'node:util';
import { NodeSelectorRequirement_Operator as Op } from '../../api/gen/bigfleet/v1alpha1/capacity.ts';
import { AvailableCapacityUpdate_Confidence as Confidence, type AvailableCapacityUpdate } from '../../api/gen/bigfleet/v1alpha1/shard.ts';
import { withConditions } from '../../api/conditions.ts';
import { availableCapacityName } from '../../api/names.ts';
import { canonicalQuantity } from '../../api/quantity.ts';
import { apiVersionOf, AvailableCapacityResource } from '../../api/resources.ts';
import type { AvailableCapacity, AvailableCapacitySpec } from '../../api/types.ts';
import type { Clock } from '../../lib/clock.ts';
import { timestamp } from '../../lib/timestamp.ts';
import { isNotFound } from '../../runtime/client/api-error.ts';
import { after, done, type KubeClient, type ReconcileContext, type Reconciler, type Result } from '../../runtime/types.ts';

/** An offer not repeated for so long says nothing any more (spec: cluster-operator 4.9). */
const STALE_MS = 600_000;

const OPERATOR_TEXT: Readonly<Record<number, string>> = {
  [Op.OPERATOR_IN]: 'In', [Op.OPERATOR_NOT_IN]: 'NotIn', [Op.OPERATOR_EXISTS]: 'Exists', [Op.OPERATOR_DOES_NOT_EXIST]: 'DoesNotExist',
};

interface Offer {
  /** Undefined for an object found at the start, of which nothing has been heard yet. */
  readonly spec: AvailableCapacitySpec | undefined;
  readonly heardAt: number;
}

/** Shows the shard's hints about what could still be had. Key: name of the AvailableCapacity. */
export class AvailableCapacityReconciler implements Reconciler {
  readonly name = 'availablecapacity';
  private readonly client: KubeClient;
  private readonly clock: Clock;
  private readonly offers = new Map<string, Offer>();
  private readonly written = new Map<string, AvailableCapacitySpec>();

  constructor({ client, clock }: { client: KubeClient; clock: Clock }) {
    this.client = client;
    this.clock = clock;
  }

  /** Records an offer and returns the key to reconcile; undefined for one that names no profile. */
  offered(update: AvailableCapacityUpdate): string | undefined {
    if (update.supersedesKey === '') return undefined;
    const name = availableCapacityName(update.supersedesKey);
    this.offers.set(name, { spec: specOf(update), heardAt: this.clock.monotonic() });
    return name;
  }

  /** An object of an earlier process: it goes unless the shard speaks of it again. */
  adopt(name: string): void {
    if (!this.offers.has(name)) this.offers.set(name, { spec: undefined, heardAt: this.clock.monotonic() });
  }

  async reconcile(name: string, ctx: ReconcileContext): Promise<Result> {
    const offer = this.offers.get(name);
    if (!offer) return done;
    const freshMs = offer.heardAt + STALE_MS - this.clock.monotonic();
    if (freshMs <= 0) {
      await this.client.delete(AvailableCapacityResource, { name }, { signal: ctx.signal });
      this.offers.delete(name);
      this.written.delete(name);
      return done;
    }
    if (offer.spec && !isDeepStrictEqual(this.written.get(name), offer.spec)) {
      await this.write(name, offer.spec, ctx.signal);
      this.written.set(name, offer.spec);
    }
    return after(freshMs);
  }

  private async write(name: string, spec: AvailableCapacitySpec, signal: AbortSignal): Promise<void> {
    try {
      const found = await this.client.patch<AvailableCapacity>(AvailableCapacityResource, { name }, { spec }, { signal });
      if (!found.status?.conditions) await this.sayReady(name, signal);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      const object: AvailableCapacity = { apiVersion: apiVersionOf(AvailableCapacityResource), kind: AvailableCapacityResource.kind, metadata: { name }, spec };
      await this.client.create(AvailableCapacityResource, object, { signal });
      await this.sayReady(name, signal);
    }
  }

  /** Once in its life, and of no generation: it stays true for every offer that follows. */
  private async sayReady(name: string, signal: AbortSignal): Promise<void> {
    const conditions = withConditions([], [{ type: 'Ready', status: 'True', reason: 'Offered', message: '' }], timestamp(this.clock.now()));
    await this.client.patch(AvailableCapacityResource, { name }, { status: { conditions } }, { subresource: 'status', signal });
  }
}

function specOf(update: AvailableCapacityUpdate): AvailableCapacitySpec {
  const resources: Record<string, string> = {};
  for (const [dimension, text] of update.resources?.resources ?? []) {
    try {
      resources[dimension] = canonicalQuantity(text);
    } catch {
      continue; // a hint without one dimension is still a hint
    }
  }
  // Same exists on the wire only.
  const requirements = update.requirements.flatMap(({ key, operator, values }) => {
    const text = OPERATOR_TEXT[operator];
    return text === undefined ? [] : [{ key, operator: text, ...(values.length > 0 ? { values } : {}) }];
  });
  return {
    ...(requirements.length > 0 ? { requirements } : {}),
    resources,
    availability: availabilityOf(update.confidence),
    availableCount: update.availableCount,
    cost: canonicalQuantity(Math.max(0, update.costPerHour).toFixed(6)),
  };
}

function availabilityOf(confidence: Confidence): AvailableCapacitySpec['availability'] {
  switch (confidence) {
    case Confidence.CONFIDENCE_LOW:
      return 'Low';
    case Confidence.CONFIDENCE_MEDIUM:
      return 'Medium';
    case Confidence.CONFIDENCE_HIGH:
      return 'High';
    case Confidence.CONFIDENCE_UNSPECIFIED:
    case Confidence.CONFIDENCE_NONE:
      return 'None';
  }
}
