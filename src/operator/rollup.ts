import type { CapacityNeed } from '../api/gen/bigfleet/v1alpha1/capacity.ts';
import { compareUnitClassDescending } from '../api/profile.ts';
import type { CapacityRequest } from '../api/types.ts';
import { compareText } from '../lib/compare-text.ts';
import { isRejection, type Contribution, type Rejection } from './contribution.ts';
import { DemandRow } from './demand-row.ts';
import { KnownContributions } from './known-contributions.ts';

interface Entry {
  readonly uid: string | undefined;
  readonly generation: number | undefined;
  readonly outcome: Contribution | Rejection;
}

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
    if (known) this.detach(key, known.outcome);
    this.entries.set(key, { uid, generation, outcome });
    if (!isRejection(outcome)) this.attach(key, outcome);
    return true;
  }

  remove(key: string): void {
    const known = this.entries.get(key);
    if (!known) return;
    this.entries.delete(key);
    this.detach(key, known.outcome);
  }

  has(key: string): boolean {
    return this.entries.has(key);
  }

  rejectionOf(key: string): Rejection | undefined {
    const outcome = this.entries.get(key)?.outcome;
    return outcome && isRejection(outcome) ? outcome : undefined;
  }

  rowOf(key: string): DemandRow | undefined {
    const outcome = this.entries.get(key)?.outcome;
    return outcome && !isRejection(outcome) ? this.rows.get(outcome.row.key) : undefined;
  }

  amountsOf(key: string): Contribution['amounts'] {
    const outcome = this.entries.get(key)?.outcome;
    return outcome && !isRejection(outcome) ? outcome.amounts : [];
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

  private attach(key: string, { row: identity, amounts }: Contribution): void {
    let row = this.rows.get(identity.key);
    if (!row) {
      row = new DemandRow(identity);
      this.rows.set(identity.key, row);
      const alike = this.byStatusKey.get(row.statusKey);
      if (alike) alike.add(row);
      else this.byStatusKey.set(row.statusKey, new Set([row]));
      this.order = undefined;
    }
    row.add(key, amounts);
  }

  private detach(key: string, outcome: Contribution | Rejection): void {
    if (isRejection(outcome)) return;
    const row = this.rows.get(outcome.row.key);
    if (!row) return;
    row.remove(key, outcome.amounts);
    if (row.members.size > 0) return;
    this.rows.delete(outcome.row.key);
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
