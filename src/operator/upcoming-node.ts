import { isDeepStrictEqual } from 'node:util';
import { withConditions, type Finding } from '../api/conditions.ts';
import type { NodeStateUpdate } from '../api/gen/bigfleet/v1alpha1/shard.ts';
import { upcomingNodeName } from '../api/names.ts';
import { canonicalQuantity } from '../api/quantity.ts';
import { apiVersionOf, UpcomingNodeResource } from '../api/resources.ts';
import type { Node, UpcomingNode, UpcomingNodeSpec, UpcomingNodeStatus, UpcomingNodeTaint } from '../api/types.ts';
import { timestamp } from '../lib/timestamp.ts';
import { isReady } from './fleet-nodes.ts';
import { MACHINE_ID_LABEL } from './labels.ts';
import type { Phase } from './machine-life.ts';

/** The object that announces a machine. Its id goes into an annotation, because a name cannot always hold it. */
export function newUpcomingNode(machineId: string, frame: NodeStateUpdate): UpcomingNode {
  return {
    apiVersion: apiVersionOf(UpcomingNodeResource),
    kind: 'UpcomingNode',
    metadata: { name: upcomingNodeName(machineId), annotations: { [MACHINE_ID_LABEL]: machineId } },
    spec: specOf(frame),
  };
}

/** What the shard says the Node will look like. A quantity that cannot be read is left out (spec: cluster-operator 4.6). */
export function specOf(frame: NodeStateUpdate): UpcomingNodeSpec {
  const resources: Record<string, string> = {};
  for (const [dimension, text] of frame.resources?.resources ?? []) {
    try {
      resources[dimension] = canonicalQuantity(text);
    } catch {
      continue;
    }
  }
  const taints = frame.taints.map<UpcomingNodeTaint>(({ key, value, effect }) => ({ key, effect, ...(value ? { value } : {}) }));
  return {
    ...(frame.labels.size > 0 ? { labels: Object.fromEntries(frame.labels) } : {}),
    resources,
    ...(taints.length > 0 ? { taints } : {}),
  };
}

/** The merge patch that makes `current` equal `wanted`, or undefined if it is. Keys that must go are set to null. */
export function specPatch(current: UpcomingNodeSpec, wanted: UpcomingNodeSpec): object | undefined {
  if (isDeepStrictEqual(current, wanted)) return undefined;
  return {
    labels: wanted.labels ? mapPatch(current.labels, wanted.labels) : null,
    resources: mapPatch(current.resources, wanted.resources),
    taints: wanted.taints ?? null,
  };
}

export interface StatusInput {
  readonly current: UpcomingNodeStatus | undefined;
  /** Of the object whose status it is. */
  readonly generation: number | undefined;
  readonly phase: Phase;
  readonly frame: NodeStateUpdate | undefined;
  readonly node: Node | undefined;
  /** Set by our own drain: why it failed, or what holds it up. Of a failure, the shard's word wins. */
  readonly error?: string;
  readonly nowMs: number;
}

/**
 * The status that should be there. What is known about Node and provider is never unlearnt; the error goes when the
 * machine is no longer Failed.
 */
export function statusOf({ current, generation, phase, frame, node, error, nowMs }: StatusInput): UpcomingNodeStatus {
  const now = timestamp(nowMs);
  const name = node?.metadata.name ?? (frame?.nodeName || current?.nodeRef?.name);
  const uid = node?.metadata.uid ?? (current?.nodeRef?.name === name ? current?.nodeRef?.uid : undefined);
  const providerID = frame?.providerId || node?.spec?.providerID || current?.providerID;
  const lastError = phase === 'Failed' ? frame?.lastError || error || current?.lastError : undefined;
  return {
    ...(generation !== undefined && { observedGeneration: generation }),
    phase,
    ...(name ? { nodeRef: { kind: 'Node', name, ...(uid ? { uid } : {}) } } : {}),
    ...(providerID ? { providerID } : {}),
    provisioningStartTime: current?.provisioningStartTime ?? now,
    ...(lastError ? { lastError } : {}),
    conditions: withConditions(current?.conditions, findings(phase, node, lastError, phase === 'Draining' ? (error ?? whatHeld(current)) : ''), now, generation),
  };
}

/** The merge patch of a status, or undefined if nothing changes. */
export function statusPatch(current: UpcomingNodeStatus | undefined, wanted: UpcomingNodeStatus): object | undefined {
  if (isDeepStrictEqual(current, wanted)) return undefined;
  const clearsError = current?.lastError !== undefined && wanted.lastError === undefined;
  return { status: { ...wanted, ...(clearsError ? { lastError: null } : {}) } };
}

/** What the drain has said of itself stays until it says something else or is over. */
function whatHeld(current: UpcomingNodeStatus | undefined): string {
  return current?.phase === 'Draining' ? (current.conditions?.find(({ type }) => type === 'Draining')?.message ?? '') : '';
}

function findings(phase: Phase, node: Node | undefined, lastError: string | undefined, heldBy: string): Finding[] {
  const joined = node !== undefined && isReady(node);
  const is = (holds: boolean): 'True' | 'False' => (holds ? 'True' : 'False');
  return [
    phase === 'Ready'
      ? { type: 'Ready', status: is(joined), reason: joined ? 'NodeReady' : node ? 'NodeNotReady' : 'NodeNotSeen', message: '' }
      : { type: 'Ready', status: 'False', reason: phase, message: '' },
    { type: 'Stalled', status: is(phase === 'Failed'), reason: phase, message: phase === 'Failed' ? (lastError ?? '') : '' },
    { type: 'Draining', status: is(phase === 'Draining'), reason: phase, message: heldBy },
    { type: 'Failed', status: is(phase === 'Failed'), reason: phase, message: phase === 'Failed' ? (lastError ?? '') : '' },
  ];
}

function mapPatch(current: Readonly<Record<string, unknown>> | undefined, wanted: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const gone = Object.keys(current ?? {}).filter((key) => !(key in wanted));
  return { ...Object.fromEntries(gone.map((key) => [key, null])), ...wanted };
}
