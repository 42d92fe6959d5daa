/** Whether two plans made of the same facts agree: what the incremental plan is checked by. */
import type { MachineReason, Plan } from './types.ts';

/**
 * Of so many entries everything is compared, of the others what they say without reasons and demands; so many machines are asked for their
 * reasons. The check is part of a turn (D10).
 */
const MOST = 10_000;

/**
 * The plan as it will still be when the engine has made another: why machines are where they are is a view that the next plan
 * moves on. `told` = the reason that is known of a machine from earlier plans.
 */
export function kept(plan: Plan, told: (machineId: string) => MachineReason | undefined): Plan {
  const reasons = new Map<string, MachineReason | undefined>();
  for (const id of plan.machineReasons.changed) {
    if (reasons.size === MOST) break;
    reasons.set(id, plan.machineReasons.get(id));
  }
  const { changed } = plan.machineReasons;
  const machineReasons = {
    get: (id: string) => (reasons.has(id) ? reasons.get(id) : told(id)),
    changed: reasons.size === MOST ? changed : [...reasons.keys()],
    [Symbol.iterator]: () => plan.machineReasons[Symbol.iterator](),
  };
  return { ...plan, machineReasons };
}

/**
 * The first difference in one line, undefined if there is none. For plans of one engine, which keeps the verdicts that stay
 * true: verdicts are then the same objects, so that half a million of them are compared in a moment. `plan` must be kept if
 * `full` was made after it.
 *
 * Where more than MOST entries of a list are not the same objects, or more than MOST machines are named in `changed`, undefined
 * is no proof: the later entries are compared without what they hold inside, and the later machines not at all. Going into all
 * of a plan that acts on a whole fleet would take far longer than a turn may.
 */
export function differenceBetween(plan: Plan, full: Plan): string | undefined {
  return (
    listsDiffer('actions', plan.actions, full.actions) ??
    listsDiffer('verdicts', plan.verdicts, full.verdicts) ??
    listsDiffer('memory', plan.memory, full.memory) ??
    listsDiffer('wakeAt', [plan.wakeAt], [full.wakeAt]) ??
    listsDiffer('stats', [plan.stats], [full.stats]) ??
    reasonsDiffer(plan, full)
  );
}

function listsDiffer(what: string, a: readonly unknown[], b: readonly unknown[]): string | undefined {
  let compared = 0;
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    if (a[i] === b[i]) continue;
    const isAlike = ++compared > MOST ? isSameOutside : isSame;
    if (!isAlike(a[i], b[i])) return `${what}[${i}]: ${said(a[i])} instead of ${said(b[i])}`;
  }
  return undefined;
}

/** Whoever is not named has the reason that it had. */
function reasonsDiffer(plan: Plan, full: Plan): string | undefined {
  for (const { changed } of [plan.machineReasons, full.machineReasons]) {
    let compared = 0;
    for (const id of changed) {
      if (++compared > MOST) break;
      const [a, b] = [plan.machineReasons.get(id), full.machineReasons.get(id)];
      if (!isSame(a, b)) return `reason of ${id}: ${said(a)} instead of ${said(b)}`;
    }
  }
  return undefined;
}

/** Of data that is a tree, deeply; what both share is not looked at. A field that is undefined is none. */
function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return Number.isNaN(a) && Number.isNaN(b);
  const [x, y] = [a as Readonly<Record<string, unknown>>, b as Readonly<Record<string, unknown>>];
  for (const name in x) if (!isSame(x[name], y[name])) return false;
  for (const name in y) if (y[name] !== undefined && x[name] === undefined) return false;
  return true;
}

/** Of their fields only those are compared that hold no other fields. */
function isSameOutside(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
  const [x, y] = [a as Readonly<Record<string, unknown>>, b as Readonly<Record<string, unknown>>];
  for (const name in x) if (typeof x[name] !== 'object' && x[name] !== y[name]) return false;
  for (const name in y) if (typeof y[name] !== 'object' && x[name] !== y[name]) return false;
  return true;
}

function said(value: unknown): string {
  return value === undefined ? 'nothing' : JSON.stringify(value);
}
