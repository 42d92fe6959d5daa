/** What requests contribute, worked out once for all that are alike: a cluster has many Pods of few kinds. */
import type { UnitClass } from '../api/profile.ts';
import type { CapacityRequest, CapacityRequestSpec } from '../api/types.ts';
import { classOf, contributionOf, isRejection, type Contribution, type ExactAmounts, type Rejection, type RowIdentity } from './contribution.ts';

interface Size {
  readonly amounts: ExactAmounts;
  readonly unit: UnitClass;
}

/** Requests that differ in their resources only. */
interface Kind {
  readonly isGang: boolean;
  readonly rows: Map<UnitClass, RowIdentity>;
}

/** So many sizes and kinds are remembered; then it begins anew. */
const MOST = 20_000;

/**
 * The same as `contributionOf`, faster for what was met before. Requests of equal texts share amounts and row, which are
 * the same objects then; those of other texts may not, though they mean the same.
 */
export class KnownContributions {
  private readonly sizes = new Map<string, Size>();
  private readonly kinds = new Map<string, Kind>();

  of(request: CapacityRequest): Contribution | Rejection {
    const sizeText = textOfSize(request.spec);
    const kindText = textOfKind(request);
    const size = this.sizes.get(sizeText);
    const kind = this.kinds.get(kindText);
    const row = size && kind?.rows.get(kind.isGang ? '' : size.unit);
    if (size && row) return { row, amounts: size.amounts };
    const outcome = contributionOf(request);
    if (isRejection(outcome)) return outcome;
    if (!size) remember(this.sizes, sizeText, { amounts: outcome.amounts, unit: classOf(outcome.amounts) });
    if (kind) kind.rows.set(outcome.row.unitClass, outcome.row);
    else remember(this.kinds, kindText, { isGang: outcome.row.group !== '', rows: new Map([[outcome.row.unitClass, outcome.row]]) });
    return { row: outcome.row, amounts: size?.amounts ?? outcome.amounts };
  }
}

function remember<T>(known: Map<string, T>, text: string, value: T): void {
  if (known.size >= MOST) known.clear();
  known.set(text, value);
}

function textOfSize({ resources }: CapacityRequestSpec): string {
  let text = '';
  for (const dimension in resources) text += part(dimension) + amount(resources[dimension]);
  return text;
}

/** Everything but the resources. */
function textOfKind({ metadata, spec }: CapacityRequest): string {
  const { requirements = [], topologySpread, coLocation } = spec;
  let text = `${spec.priority};${amount(spec.interruptionPenalty)}${amount(spec.reclamationPenalty)}`;
  for (const { key, operator, values = [] } of requirements) {
    text += part(key) + part(operator);
    for (const value of values) text += part(value);
    text += ';';
  }
  if (topologySpread) text += JSON.stringify(topologySpread);
  if (coLocation) text += part(metadata.namespace ?? '') + JSON.stringify(coLocation);
  return text;
}

/** With its length before it no text can pass for another. */
function part(text: string): string {
  return `${text.length}:${text}`;
}

function amount(value: string | number | undefined): string {
  return value === undefined ? '-' : typeof value === 'number' ? `${value};` : part(value);
}
