/** What requests contribute, worked out once for all that are alike: a cluster has many Pods of few kinds. */
import type { CapacityRequest, LabelSelector } from '../api/types.ts';
import { contributionOf, isRejection, type Rejection, type RowIdentity } from './contribution.ts';
import { KnownAmounts, ONE_MILLI_CPU, type Amount } from './known-amounts.ts';
import { WordTree } from './word-tree.ts';

/** Requests that differ in their resources only. */
interface Kind {
  readonly isGang: boolean;
  /** By the unit classes of the single amounts; of a gang there is one row. */
  readonly rows: WordTree<RowIdentity>;
}

export interface KnownContribution {
  readonly row: RowIdentity;
  /** As they were written, without those of nothing; never empty. */
  readonly amounts: readonly Amount[];
}

/** So many are remembered; then it begins anew. */
const MOST_KINDS = 20_000;
const NOTHING: readonly Amount[] = [ONE_MILLI_CPU];

/**
 * The same as `contributionOf`, faster for what was met before. Equal texts give the same objects; those of other texts may
 * be others, though they mean the same.
 */
export class KnownContributions {
  private readonly amounts = new KnownAmounts();
  /** Used over again, so that what is kept of each request is no longer than it must be. */
  private readonly asked: Amount[] = [];
  private kinds = new WordTree<Kind>();
  private kindsAsked = 0;

  of(request: CapacityRequest): KnownContribution | Rejection {
    const place = placeOf(this.kinds, request);
    const amounts = this.amountsOf(request);
    const kind = place.value;
    const row = kind && amounts && rowOf(kind, amounts).value;
    return row ? { row, amounts } : this.learn(request, place, amounts);
  }

  private amountsOf({ spec: { resources } }: CapacityRequest): readonly Amount[] | undefined {
    const amounts = this.asked;
    let count = 0;
    for (const dimension in resources) {
      const amount = this.amounts.of(dimension, resources[dimension] as string | number);
      if (!amount) return undefined;
      if (amount.units !== 0) amounts[count++] = amount;
    }
    return count > 0 ? amounts.slice(0, count) : NOTHING;
  }

  private learn(request: CapacityRequest, place: WordTree<Kind>, amounts: readonly Amount[] | undefined): KnownContribution | Rejection {
    const outcome = contributionOf(request);
    // What is refused leaves its place in the tree behind: it counts, too.
    if (!place.value && ++this.kindsAsked > MOST_KINDS) this.forget();
    if (isRejection(outcome)) return outcome;
    if (!amounts) throw new Error('amounts that count were not known as such');
    const kind = (place.value ??= { isGang: outcome.row.group !== '', rows: new WordTree() });
    return { row: (rowOf(kind, amounts).value ??= outcome.row), amounts };
  }

  private forget(): void {
    this.kinds = new WordTree();
    this.kindsAsked = 0;
  }
}

function rowOf({ isGang, rows }: Kind, amounts: readonly Amount[]): WordTree<RowIdentity> {
  let place = rows;
  if (!isGang) for (const { unit } of amounts) place = place.next(unit);
  return place;
}

/** Where everything but the resources leads. What differs most comes last. */
function placeOf(root: WordTree<Kind>, { metadata, spec }: CapacityRequest): WordTree<Kind> {
  const { requirements, topologySpread, coLocation } = spec;
  let place = root.next(spec.priority).next(spec.interruptionPenalty).next(spec.reclamationPenalty).next(requirements?.length ?? 0);
  if (requirements) {
    for (const { key, operator, values } of requirements) {
      place = place.next(key).next(operator).next(values?.length ?? 0);
      if (values) for (const value of values) place = place.next(value);
    }
  }
  place = place.next(topologySpread?.length ?? 0);
  if (topologySpread) for (const { topologyKey, maxSkew, whenUnsatisfiable } of topologySpread) place = place.next(topologyKey).next(maxSkew).next(whenUnsatisfiable);
  if (!coLocation) return place.next(undefined);
  place = place.next(coLocation.topologyKey).next(metadata.namespace ?? '');
  return coLocation.labelSelector ? placeOfSelector(place, coLocation.labelSelector) : place.next(undefined);
}

function placeOfSelector<T>(root: WordTree<T>, { matchLabels, matchExpressions }: LabelSelector): WordTree<T> {
  let place = root.next(matchExpressions?.length ?? 0);
  for (const { key, operator, values } of matchExpressions ?? []) {
    place = place.next(key).next(operator).next(values?.length ?? 0);
    for (const value of values ?? []) place = place.next(value);
  }
  // These need no number before them: nothing follows.
  for (const label in matchLabels) place = place.next(label).next(matchLabels[label]);
  return place;
}
