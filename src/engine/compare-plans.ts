/** Whether two plans made of the same facts agree: what the incremental plan is checked by. */
import type { Plan } from './types.ts';

/**
 * The first difference in one line, undefined if there is none. For plans of one engine, which keeps the verdicts that stay
 * true: verdicts are then the same objects, so that half a million of them are compared in a moment.
 */
export function differenceBetween(plan: Plan, full: Plan): string | undefined {
  return (
    listsDiffer('actions', plan.actions, full.actions) ??
    listsDiffer('verdicts', plan.verdicts, full.verdicts) ??
    listsDiffer('memory', plan.memory, full.memory) ??
    listsDiffer('wakeAt', [plan.wakeAt], [full.wakeAt]) ??
    listsDiffer('stats', [plan.stats], [full.stats])
  );
}

function listsDiffer(what: string, a: readonly unknown[], b: readonly unknown[]): string | undefined {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    if (a[i] === b[i]) continue;
    const [x, y] = [JSON.stringify(a[i]), JSON.stringify(b[i])];
    if (x !== y) return `${what}[${i}]: ${x ?? 'nothing'} instead of ${y ?? 'nothing'}`;
  }
  return undefined;
}
