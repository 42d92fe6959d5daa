/** Label and field selectors as they appear in queries. */
import { badRequest } from './status-error.ts';

export type Labels = Readonly<Record<string, string>> | undefined;
export type LabelMatcher = (labels: Labels) => boolean;

const keyPattern = /^([a-z0-9A-Z]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;

/** Understands `a=b`, `a==b`, `a!=b`, `a in (x,y)`, `a notin (x,y)`, `a`, `!a`, `a>1`, `a<1`. Undefined matches all. */
export function parseLabelSelector(text: string | null | undefined): LabelMatcher | undefined {
  if (!text) return undefined;
  const tests = splitTopLevel(text).map((part) => parseLabelTerm(part.trim(), text));
  return (labels) => tests.every((test) => test(labels));
}

function parseLabelTerm(term: string, whole: string): LabelMatcher {
  const bad = (): Error => badRequest(`unable to parse requirement ${JSON.stringify(term)} of label selector ${JSON.stringify(whole)}`);
  const set = /^(\S+)\s+(in|notin)\s*\(([^()]*)\)$/.exec(term);
  if (set) {
    const key = checkedKey(set[1]!, bad);
    const values = new Set(set[3]!.split(',').map((value) => value.trim()));
    return set[2] === 'in'
      ? (labels) => labels?.[key] !== undefined && values.has(labels[key])
      : (labels) => labels?.[key] === undefined || !values.has(labels[key]);
  }
  const comparison = /^([^\s=!<>]+)\s*(==|=|!=|>|<)\s*([^\s=!<>]*)$/.exec(term);
  if (comparison) {
    const key = checkedKey(comparison[1]!, bad);
    const value = comparison[3]!;
    switch (comparison[2]) {
      case '!=':
        return (labels) => labels?.[key] !== value;
      case '>':
        return (labels) => labels?.[key] !== undefined && Number(labels[key]) > Number(value);
      case '<':
        return (labels) => labels?.[key] !== undefined && Number(labels[key]) < Number(value);
      default:
        return (labels) => labels?.[key] === value;
    }
  }
  const absent = term.startsWith('!');
  const key = checkedKey(absent ? term.slice(1).trim() : term, bad);
  return absent ? (labels) => labels?.[key] === undefined : (labels) => labels?.[key] !== undefined;
}

function checkedKey(key: string, bad: () => Error): string {
  if (!keyPattern.test(key)) throw bad();
  return key;
}

function splitTopLevel(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '(') depth++;
    else if (text[i] === ')') depth--;
    else if (text[i] === ',' && depth === 0) {
      parts.push(text.slice(start, i));
      start = i + 1;
    }
  }
  parts.push(text.slice(start));
  return parts;
}

export interface FieldTerm {
  readonly field: string;
  readonly value: string;
  readonly equal: boolean;
}

export function parseFieldSelector(text: string | null | undefined): readonly FieldTerm[] {
  if (!text) return [];
  return text.split(',').map((part) => {
    const found = /^([^=!]+)(==|=|!=)(.*)$/.exec(part.trim());
    if (!found) throw badRequest(`invalid field selector ${JSON.stringify(text)}: can't understand ${JSON.stringify(part)}`);
    return { field: found[1]!.trim(), equal: found[2] !== '!=', value: found[3]!.trim() };
  });
}

/** The selector of a PodDisruptionBudget and its like: matchLabels and matchExpressions; an empty one matches all. */
export function objectSelector(selector: {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
}): LabelMatcher {
  const wanted = Object.entries(selector.matchLabels ?? {});
  const terms = selector.matchExpressions ?? [];
  return (labels) =>
    wanted.every(([key, value]) => labels?.[key] === value) &&
    terms.every(({ key, operator, values }) => {
      const present = labels?.[key];
      switch (operator) {
        case 'In':
          return present !== undefined && (values ?? []).includes(present);
        case 'NotIn':
          return present === undefined || !(values ?? []).includes(present);
        case 'Exists':
          return present !== undefined;
        case 'DoesNotExist':
          return present === undefined;
        default:
          return false;
      }
    });
}
