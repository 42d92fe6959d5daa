import type { LabelSelector, LabelSelectorRequirement } from '../../api/core.ts';

export type Labels = Readonly<Record<string, string>>;

/** Kubernetes' rule for Pods: an absent selector selects nothing, an empty one everything. */
export function selects(selector: LabelSelector | undefined, labels: Labels): boolean {
  if (!selector) return false;
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) if (labels[key] !== value) return false;
  return (selector.matchExpressions ?? []).every((expression) => meets(expression, labels));
}

/** The operators of label selectors and of node affinity. Gt and Lt compare integers; an unknown operator never holds. */
export function meets({ key, operator, values = [] }: LabelSelectorRequirement, labels: Labels): boolean {
  const value = labels[key];
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
    case 'Lt': {
      const bound = values.length === 1 ? toInteger(values[0]) : undefined;
      const actual = toInteger(value);
      if (bound === undefined || actual === undefined) return false;
      return operator === 'Gt' ? actual > bound : actual < bound;
    }
    default:
      return false;
  }
}

function toInteger(text: string | undefined): number | undefined {
  return text !== undefined && /^[+-]?\d+$/.test(text) ? Number(text) : undefined;
}

/** Equal selectors give equal keys, however they are spelled. */
export function selectorKey(selector: LabelSelector | undefined): string {
  if (!selector) return 'nothing';
  const labels = Object.entries(selector.matchLabels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  const expressions = (selector.matchExpressions ?? []).map((e) => JSON.stringify([e.key, e.operator, [...(e.values ?? [])].sort()])).sort();
  return JSON.stringify([labels, expressions]);
}
