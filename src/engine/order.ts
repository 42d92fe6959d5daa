/** Orders of names and Needs. Nothing in a plan may depend on the order in which facts arrived, so every tie ends in one of these. */
import { compareUnitClassDescending } from '../api/profile.ts';
import { compareText } from '../lib/compare-text.ts';
import type { NeedRow } from './need-row.ts';

/**
 * The order in which Needs choose (spec: engine 6.9, D2): precedence first, then age, then names; among rows of one
 * profile the larger unit chooses first, because a small unit fits where a large one does not.
 */
export function compareRows(a: NeedRow, b: NeedRow, arrivalOf: (row: NeedRow) => number): number {
  return (
    comparePrecedence(a, b) ||
    compareNumbers(arrivalOf(a), arrivalOf(b)) ||
    compareText(a.need.cluster, b.need.cluster) ||
    compareText(a.need.group, b.need.group) ||
    compareText(a.need.fingerprint, b.need.fingerprint) ||
    compareUnitClassDescending(a.need.unitClass, b.need.unitClass) ||
    compareText(a.identity, b.identity)
  );
}

/** Higher precedence first; 0 = equals, between which nobody outranks anybody. */
export function comparePrecedence(a: NeedRow, b: NeedRow): number {
  const p = a.need.profile;
  const q = b.need.profile;
  return q.priority - p.priority || q.interruptionBucket - p.interruptionBucket || q.reclamationBucket - p.reclamationBucket;
}

function compareNumbers(a: number, b: number): number {
  return a < b ? -1 : a > b ? 1 : 0; // not a − b: two rows that nobody has seen yet both stand at +∞
}
