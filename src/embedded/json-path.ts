/** The JSONPath subset of printer columns and selectable fields: `.a.b`, `['a']`, `[0]`, `[*]`, `[?(@.x=="y")]`. */
import { equalJson, isObject } from './json.ts';

type Step = (values: unknown[]) => unknown[];

/** Compiles once; the result gives all matches, in order. A path that cannot be understood throws and names it. */
export function compileJsonPath(path: string): (root: unknown) => unknown[] {
  const steps: Step[] = [];
  let rest = path.startsWith('$') ? path.slice(1) : path;
  while (rest !== '') {
    const field = /^\.((?:[^.[\]\\]|\\.)+)/.exec(rest);
    const quoted = /^\['((?:[^'\\]|\\.)*)'\]/.exec(rest);
    const index = /^\[(\d+)\]/.exec(rest);
    const all = /^\[\*\]/.exec(rest);
    const filter = /^\[\?\(\s*@((?:\.[^.=\s[\]()]+)+)\s*==\s*("[^"]*"|'[^']*'|true|false|-?\d+)\s*\)\]/.exec(rest);
    const found = field ?? quoted ?? index ?? all ?? filter;
    if (!found) throw new Error(`cannot understand JSONPath ${JSON.stringify(path)} at ${JSON.stringify(rest)}`);
    if (field ?? quoted) steps.push(fieldStep((field ?? quoted)![1]!.replace(/\\(.)/g, '$1')));
    else if (index) steps.push((values) => values.flatMap((v) => (Array.isArray(v) && Number(index[1]) < v.length ? [v[Number(index[1])] as unknown] : [])));
    else if (all) steps.push((values) => values.flatMap((v) => (Array.isArray(v) ? (v as unknown[]) : isObject(v) ? Object.values(v) : [])));
    else if (filter) steps.push(filterStep(filter[1]!.slice(1).split('.'), literal(filter[2]!)));
    rest = rest.slice(found[0].length);
  }
  return (root) => steps.reduce((values, step) => step(values), [root]);
}

function fieldStep(field: string): Step {
  return (values) => values.flatMap((v) => (isObject(v) && v[field] !== undefined ? [v[field]] : []));
}

function filterStep(path: string[], wanted: unknown): Step {
  const get = (value: unknown): unknown => path.reduce<unknown>((v, field) => (isObject(v) ? v[field] : undefined), value);
  return (values) => values.flatMap((v) => (Array.isArray(v) ? (v as unknown[]).filter((item) => equalJson(get(item), wanted)) : []));
}

function literal(text: string): unknown {
  if (text.startsWith("'")) return text.slice(1, -1);
  return JSON.parse(text) as unknown;
}
