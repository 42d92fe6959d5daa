import { canonicalGroup, bucketForDollars, canonicalProfile, fingerprint, profileKey, unitClass, type Operator, type Profile, type UnitClass } from '../api/profile.ts';
import { parseQuantity, quantityToNumber, toBaseUnits, type Quantity } from '../api/quantity.ts';
import type { CapacityRequest, CapacityRequestSpec } from '../api/types.ts';
import { compareText } from '../lib/compare-text.ts';

/** Which row of the roll-up a request belongs to (D2). */
export interface RowIdentity {
  /** Equal exactly for equal rows; never leaves the process. */
  readonly key: string;
  readonly profile: Profile;
  readonly fingerprint: string;
  readonly group: string;
  /** '' for gangs, whose rows are not split. */
  readonly unitClass: UnitClass;
}

/** Exact amounts in billionths, sorted by dimension, none of them zero. */
export type ExactAmounts = readonly (readonly [dimension: string, nanos: bigint])[];

export interface Contribution {
  readonly row: RowIdentity;
  readonly amounts: ExactAmounts;
}

/** Why a request cannot be part of a roll-up (D4). It harms nobody but itself. */
export interface Rejection {
  readonly field: string;
  readonly problem: string;
}

const OPERATORS: readonly string[] = ['In', 'NotIn', 'Exists', 'DoesNotExist'];
const ONE_MILLI_CPU: ExactAmounts = [['cpu', 1_000_000n]];
const NO_CLASS: UnitClass = '';

class Refusal extends Error {
  readonly rejection: Rejection;

  constructor(field: string, problem: string) {
    super(problem);
    this.rejection = { field, problem };
  }
}

/** What one request adds to which row (spec: cluster-operator 4.1). Pure. */
export function contributionOf(request: CapacityRequest): Contribution | Rejection {
  try {
    const amounts = amountsOf(request.spec);
    const group = groupOf(request);
    const profile = canonicalProfile(profileOf(request.spec, group !== ''));
    const unit = group === '' ? classOf(amounts) : NO_CLASS;
    if (group !== '') classOf(amounts); // amounts beyond counting are refused in gangs as well
    return { row: { key: rowKey(profile, group, unit), profile, fingerprint: fingerprint(profile), group, unitClass: unit }, amounts };
  } catch (error) {
    if (error instanceof Refusal) return error.rejection;
    throw error;
  }
}

export function isRejection(outcome: object): outcome is Rejection {
  return 'problem' in outcome;
}

/** What NeedStatus names a row by. Rows of one fingerprint share it even if their profiles differ in unprintable ways. */
export function statusKey(row: { fingerprint: string; group: string; unitClass: UnitClass }): string {
  return `${row.fingerprint}\u0000${row.group}\u0000${row.unitClass}`;
}

/** The same key from what the shard sends. */
export function statusKeyOfNeed(need: { fingerprint: string; group: string; minUnit: ReadonlyMap<string, string> }): string {
  const unit = need.group === '' ? unitClass([...need.minUnit].map(([d, q]) => [d, toBaseUnits(d, q, 'up')] as const)) : NO_CLASS;
  return statusKey({ fingerprint: need.fingerprint, group: need.group, unitClass: unit });
}

function rowKey(profile: Profile, group: string, unit: UnitClass): string {
  return `${profileKey(profile)}\u0000${group}\u0000${unit}`;
}

function amountsOf(spec: CapacityRequestSpec): ExactAmounts {
  const amounts = Object.entries(spec.resources)
    .map(([dimension, text]) => [dimension, quantity(`spec.resources[${dimension}]`, text).nanos] as const)
    .filter(([, nanos]) => nanos > 0n)
    .sort(([a], [b]) => compareText(a, b));
  return amounts.length > 0 ? amounts : ONE_MILLI_CPU;
}

/** The unit class of what was taken apart already. Throws what makes it a rejection. */
export function classOf(amounts: ExactAmounts): UnitClass {
  return unitClass(
    amounts.map(([dimension, nanos]) => {
      try {
        return [dimension, toBaseUnits(dimension, { nanos, format: 'DecimalSI' }, 'up')] as const;
      } catch (error) {
        throw new Refusal(`spec.resources[${dimension}]`, reason(error));
      }
    }),
  );
}

function groupOf({ metadata, spec }: CapacityRequest): string {
  return spec.coLocation ? canonicalGroup(metadata.namespace ?? '', spec.coLocation.topologyKey, spec.coLocation.labelSelector) : '';
}

function profileOf(spec: CapacityRequestSpec, gang: boolean): Profile {
  const requirements = (spec.requirements ?? []).map(({ key, operator, values }, i) => {
    if (!OPERATORS.includes(operator)) {
      throw new Refusal(`spec.requirements[${i}].operator`, `"${operator}" is not one of ${OPERATORS.join(', ')}`);
    }
    return { key, operator: operator as Operator, values: values ?? [] };
  });
  if (gang && spec.coLocation) requirements.push({ key: spec.coLocation.topologyKey, operator: 'Same', values: [] });
  return {
    requirements,
    spread: spreadOf(spec),
    priority: spec.priority,
    interruptionBucket: bucket('spec.interruptionPenalty', spec.interruptionPenalty),
    reclamationBucket: bucket('spec.reclamationPenalty', spec.reclamationPenalty),
  };
}

function spreadOf(spec: CapacityRequestSpec): Profile['spread'] {
  const terms: Profile['spread'][number][] = [];
  for (const [i, { topologyKey, maxSkew, whenUnsatisfiable }] of (spec.topologySpread ?? []).entries()) {
    if (maxSkew < 1) throw new Refusal(`spec.topologySpread[${i}].maxSkew`, `${maxSkew} is below 1`);
    if (whenUnsatisfiable === 'ScheduleAnyway') continue; // nothing enforces it, it would only split rows
    if (whenUnsatisfiable !== 'DoNotSchedule') {
      throw new Refusal(`spec.topologySpread[${i}].whenUnsatisfiable`, `"${whenUnsatisfiable}" is neither DoNotSchedule nor ScheduleAnyway`);
    }
    terms.push({ topologyKey, maxSkew, whenUnsatisfiable });
  }
  return terms;
}

/** Absent is not "0": it means that nobody declared a penalty. */
function bucket(field: string, text: string | number | undefined): number {
  return text === undefined ? 0 : bucketForDollars(quantityToNumber(quantity(field, text)));
}

function quantity(field: string, text: string | number): Quantity {
  let parsed: Quantity;
  try {
    parsed = parseQuantity(text);
  } catch (error) {
    throw new Refusal(field, reason(error));
  }
  if (parsed.nanos < 0n) throw new Refusal(field, `"${text}" is negative`);
  return parsed;
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
