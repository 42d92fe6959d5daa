/** Pods of the simulated clusters: what one asks for, told in the words of a CapacityRequest. */
import type { CapacityRequest, CapacityRequestSpec } from '../api/types.ts';
import { toBaseUnits } from '../api/quantity.ts';
import { contributionOf, isRejection } from '../operator/contribution.ts';
import type { Contribution } from '../operator/contribution.ts';
import type { Millis } from '../engine/types.ts';

/** What Pods of one kind ask for; the operator's own code turns it into a row of demand. */
export interface PodSpec {
  readonly request: CapacityRequestSpec;
  /** Members of one gang name the same one; '' = no gang. Needs `request.coLocation`. */
  readonly gang: string;
}

/** A PodSpec worked out once for all of its Pods. */
export interface Template {
  readonly spec: PodSpec;
  readonly contribution: Contribution;
  /** Base units by dimension. */
  readonly amounts: readonly (readonly [dimension: string, amount: number])[];
  /** Its gang shares one value of this label. */
  readonly domainKey: string | undefined;
  readonly gangKey: string;
  readonly priority: number;
}

export interface SimulatedPod {
  readonly id: string;
  readonly cluster: string;
  readonly template: Template;
  readonly createdAt: Millis;
  /** What is left to live from binding on; Infinity = until it is removed. */
  readonly lifeMs: Millis;
  /** Counts up in order of creation. */
  readonly sequence: number;
  machine: string | undefined;
  boundAt: Millis | undefined;
}

const NAMESPACE = 'simulated';
const GANG_LABEL = 'gang';

/** Throws when the operator would leave such a Pod out of its roll-up. */
export function templateOf(spec: PodSpec): Template {
  const contribution = contributionOf(requestOf('template', spec));
  if (isRejection(contribution)) throw new Error(`no demand of this kind can be reported: ${contribution.field}: ${contribution.problem}`);
  return {
    spec,
    contribution,
    amounts: Object.entries(spec.request.resources).map(([dimension, quantity]) => [dimension, toBaseUnits(dimension, quantity, 'up')]),
    domainKey: spec.gang === '' ? undefined : spec.request.coLocation?.topologyKey,
    gangKey: spec.gang === '' ? '' : contribution.row.group,
    priority: spec.request.priority,
  };
}

/** The request that the pod controller would make. */
export function requestOf(name: string, { request, gang }: PodSpec): CapacityRequest {
  const { coLocation, ...rest } = request;
  const together = coLocation && { topologyKey: coLocation.topologyKey, labelSelector: { matchLabels: { [GANG_LABEL]: gang } } };
  return { apiVersion: 'v1', kind: 'CapacityRequest', metadata: { name, namespace: NAMESPACE, uid: name, generation: 1 }, spec: { ...rest, ...(together && { coLocation: together }) } };
}
