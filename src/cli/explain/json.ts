/** What the shard answered, as data for programs: names instead of numbers of enums, plain objects and numbers. */
import { CapacityType, MachineState } from '../../api/gen/bigfleet/v1alpha1/provider.ts';
import { UnmetReason } from '../../api/gen/bigfleet/v1alpha1/shardread.ts';
import type { NeedView } from '../../api/gen/bigfleet/v1alpha1/shardread.ts';
import { DecisionKind } from '../../api/gen/bigfleet/v1alpha1/view.ts';
import type { MachineView, NeedExplanation } from '../../api/gen/bigfleet/v1alpha1/view.ts';
import { NodeSelectorRequirement_Operator as Operator } from '../../api/gen/bigfleet/v1alpha1/capacity.ts';

const ENUMS: Readonly<Record<string, readonly [names: Readonly<Record<string, number>>, prefix: string]>> = {
  state: [MachineState, 'MACHINE_STATE_'],
  capacityType: [CapacityType, 'CAPACITY_TYPE_'],
  unmetReason: [UnmetReason, 'UNMET_REASON_'],
  kind: [DecisionKind, 'DECISION_KIND_'],
  operator: [Operator, 'OPERATOR_'],
};

/** Canonical name of an enum's number, '' for the one that says nothing. */
export function enumName(field: string, value: number): string {
  const [names, prefix] = ENUMS[field] ?? [{}, ''];
  const name = Object.entries(names).find(([, number]) => number === value)?.[0] ?? String(value);
  const short = name.startsWith(prefix) ? name.slice(prefix.length) : name;
  return short === 'UNSPECIFIED' ? '' : short;
}

/** `CONFIGURED` as people know it: `Configured`; `ON_DEMAND`: `OnDemand`. */
export function camel(name: string): string {
  return name.split('_').map((word) => word.charAt(0) + word.slice(1).toLowerCase()).join('');
}

export function plain(value: unknown, field = ''): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (typeof value === 'number') {
    if (!(field in ENUMS)) return value;
    const name = enumName(field, value);
    return field === 'state' || field === 'capacityType' || field === 'kind' ? camel(name) : name;
  }
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, inner]) => [String(key), plain(inner)]));
  if (Array.isArray(value)) return value.map((inner) => plain(inner));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== undefined).map(([name, inner]) => [name, plain(inner, name)]));
}

/** A row as it was told, and what else there is to say of it unless it has gone meanwhile. */
export interface ExplainedNeed {
  readonly need: NeedView;
  readonly sentence: string;
  readonly explained?: NeedExplanation;
}

export function needJson({ need, sentence, explained }: ExplainedNeed): object {
  return { sentence, need: plain(need), machines: plain(explained?.machines ?? []), ahead: plain(explained?.ahead ?? []) };
}

export function sentenceOfMachine(machine: MachineView): string {
  return machine.why?.text ?? 'No plan has said anything of it yet, or it is Speculative and nobody asked for it.';
}

export function stateName(state: number): string {
  return camel(enumName('state', state));
}

export function needName(need: NeedView): string {
  const group = need.need?.group ? `, group ${need.need.group}` : '';
  return `${need.profileFingerprint} of cluster ${need.clusterId} (priority ${String(need.need?.priority ?? 0)}${group})`;
}
