import type { MachineReason, Need, NeedVerdict, ServedDemand } from '../engine/types.ts';

/** Names a row of demand (D2). */
export function rowKey({ cluster, fingerprint, group, unitClass }: Pick<Need, 'cluster' | 'fingerprint' | 'group' | 'unitClass'>): string {
  return JSON.stringify([cluster, fingerprint, group, unitClass]);
}

const keys = new WeakMap<Need, string>();

/** The same, of a row that is asked about again and again: it stays the same object until its cluster reports another one. */
export function keyOf(row: Need): string {
  let key = keys.get(row);
  if (key === undefined) keys.set(row, (key = rowKey(row)));
  return key;
}

/** Names what was planned: a row, or gangs as one. Machines and verdicts of equal keys belong together. */
export function plannedKey(demand: Pick<ServedDemand, 'cluster' | 'fingerprint' | 'group' | 'unitClass' | 'foldedAs'>): string {
  return demand.foldedAs === undefined ? rowKey(demand) : JSON.stringify([demand.cluster, demand.foldedAs]);
}

export function plannedKeyOf({ need: { cluster, fingerprint, group, unitClass }, foldedAs }: NeedVerdict): string {
  return plannedKey({ cluster, fingerprint, group, unitClass, ...(foldedAs !== undefined && { foldedAs }) });
}

/** The demand that a machine with this reason counts for; undefined = for none. */
export function creditOf(why: MachineReason | undefined): ServedDemand | undefined {
  switch (why?.code) {
    case 'Serving':
    case 'InFlight':
    case 'AcquiredIdle':
    case 'AcquiredSpeculative':
      return why;
    default:
      return undefined;
  }
}

/** The demand that a machine with this reason is promised to: it was preempted for it, from whatever cluster, and is on its way. */
export function promisedTo(why: MachineReason | undefined): ServedDemand | undefined {
  return why?.code === 'Reserved' ? why : undefined;
}

/** Whether a machine that counts for this demand counts for the verdict's row. */
export function isFor(served: ServedDemand, { need, foldedAs }: NeedVerdict): boolean {
  if (served.cluster !== need.cluster || served.foldedAs !== foldedAs) return false;
  return foldedAs !== undefined || (served.fingerprint === need.fingerprint && served.group === need.group && served.unitClass === need.unitClass);
}

/** The rows, as they were reported, that machines count for by the last plan. */
export class SourceRows {
  private verdicts: readonly NeedVerdict[] = [];
  /** Of gangs planned as one, by `plannedKey`; made when the first is asked for. */
  private gangs: ReadonlyMap<string, readonly string[]> | undefined;

  planned(verdicts: readonly NeedVerdict[]): void {
    this.verdicts = verdicts;
    this.gangs = undefined;
  }

  /** By `rowKey`. Several only where gangs are planned as one: they share their machines, and what keeps these away. */
  of(why: MachineReason | undefined): readonly string[] {
    const served = creditOf(why);
    return served ? this.ofDemand(served) : [];
  }

  ofDemand(served: ServedDemand): readonly string[] {
    if (served.foldedAs === undefined) return [rowKey(served)];
    this.gangs ??= gangsOf(this.verdicts);
    return this.gangs.get(plannedKey(served)) ?? [];
  }
}

function gangsOf(verdicts: readonly NeedVerdict[]): Map<string, string[]> {
  const gangs = new Map<string, string[]>();
  for (const verdict of verdicts) {
    if (verdict.foldedAs === undefined) continue;
    const key = plannedKeyOf(verdict);
    const known = gangs.get(key);
    if (known) known.push(rowKey(verdict.need));
    else gangs.set(key, [rowKey(verdict.need)]);
  }
  return gangs;
}
