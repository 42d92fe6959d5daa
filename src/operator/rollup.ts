import type { CapacityNeed } from '../api/gen/bigfleet/v1alpha1/capacity.ts';
import { compareUnitClassDescending } from '../api/profile.ts';
import type { CapacityRequest } from '../api/types.ts';
import { compareText } from '../lib/compare-text.ts';
import { isRejection, type ExactAmounts, type Rejection, type RowIdentity } from './contribution.ts';
import { DemandRow, type Member } from './demand-row.ts';
import type { Amount } from './known-amounts.ts';
import { KnownContributions } from './known-contributions.ts';

/** One request, and what it contributes to which row, or why it does not. */
interface Entry extends Member {
  readonly uid: string | undefined;
  readonly generation: number | undefined;
  readonly row: DemandRow | undefined;
  readonly rejection: Rejection | undefined;
}

const NOTHING: readonly Amount[] = [];

/**
 * The cluster's demand, request by request (spec: cluster-operator 4.1; D2, D4). A change costs what changed; reading the
 * rows costs the rows, not the requests. Rows with equal members are equal, in whatever order the members came.
 */
export class DemandBook {
  private readonly contributions = new KnownContributions();
  private readonly entries = new Map<string, Entry>();
  private readonly rows = new Map<string, DemandRow>();
  private readonly byStatusKey = new Map<string, Set<DemandRow>>();
  private order: DemandRow[] | undefined;

  get size(): number {
    return this.entries.size;
  }

  get rowCount(): number {
    return this.rows.size;
  }

  /** Records the request under its key. Returns whether anything changed: a new status alone does not count. */
  set(key: string, request: CapacityRequest): boolean {
    const { uid, generation } = request.metadata;
    const known = this.entries.get(key);
    if (known && generation !== undefined && known.generation === generation && known.uid === uid) return false;
    const outcome = this.contributions.of(request);
    if (known) this.detach(known);
    const entry: Entry = isRejection(outcome)
      ? { key, uid, generation, row: undefined, rejection: outcome, amounts: NOTHING, place: -1 }
      : { key, uid, generation, row: this.rowFor(outcome.row), rejection: undefined, amounts: outcome.amounts, place: -1 };
    this.entries.set(key, entry);
    entry.row?.add(entry);
    return true;
  }

  remove(key: string): void {
    const known = this.entries.get(key);
    if (!known) return;
    this.entries.delete(key);
    this.detach(known);
  }

  has(key: string): boolean {
    return this.entries.has(key);
  }

  rejectionOf(key: string): Rejection | undefined {
    return this.entries.get(key)?.rejection;
  }

  rowOf(key: string): DemandRow | undefined {
    return this.entries.get(key)?.row;
  }

  amountsOf(key: string): ExactAmounts {
    const amounts = this.entries.get(key)?.amounts ?? NOTHING;
    return amounts.map(({ dimension, nanos }) => [dimension, nanos] as const).sort(([a], [b]) => compareText(a, b));
  }

  /** The rows that a NeedStatus is about; more than one only if their fingerprints look alike. */
  rowsByStatusKey(statusKey: string): Iterable<DemandRow> {
    return this.byStatusKey.get(statusKey) ?? [];
  }

  /** All rows: priority descending, then fingerprint, group, and larger units first. */
  sortedRows(): readonly DemandRow[] {
    return (this.order ??= [...this.rows.values()].sort(compareRows));
  }

  /** The roll-up's needs, byte-stable: equal demand gives equal bytes. */
  needs(): CapacityNeed[] {
    return this.sortedRows().map((row) => row.toNeed());
  }

  private rowFor(identity: RowIdentity): DemandRow {
    const known = this.rows.get(identity.key);
    if (known) return known;
    const row = new DemandRow(identity);
    this.rows.set(identity.key, row);
    const alike = this.byStatusKey.get(row.statusKey);
    if (alike) alike.add(row);
    else this.byStatusKey.set(row.statusKey, new Set([row]));
    this.order = undefined;
    return row;
  }

  private detach(entry: Entry): void {
    const { row } = entry;
    if (!row) return;
    row.remove(entry);
    if (row.size > 0) return;
    this.rows.delete(row.identity.key);
    const alike = this.byStatusKey.get(row.statusKey);
    alike?.delete(row);
    if (alike?.size === 0) this.byStatusKey.delete(row.statusKey);
    this.order = undefined;
  }
}

function compareRows(a: DemandRow, b: DemandRow): number {
  const x = a.identity;
  const y = b.identity;
  return (
    y.profile.priority - x.profile.priority ||
    compareText(x.fingerprint, y.fingerprint) ||
    compareText(x.group, y.group) ||
    compareUnitClassDescending(x.unitClass, y.unitClass) ||
    compareText(x.key, y.key)
  );
}
