/** JSON that people can read and diff, piece by piece: what is large is never one text on the way. */
import { PER_STEP } from '../lib/steps.ts';

/** One line per entry of the larger lists and tables. */
export function* layOut(document: Readonly<Record<string, unknown>>): Generator<string, void> {
  yield '{\n';
  let isFirst = true;
  for (const [field, value] of Object.entries(document)) {
    if (value === undefined) continue;
    yield `${isFirst ? '' : ',\n'}${JSON.stringify(field)}: `;
    isFirst = false;
    yield* member(value);
  }
  yield '\n}\n';
}

function* member(value: unknown): Generator<string, void> {
  if (Array.isArray(value)) {
    if (value.length === 0) yield '[]';
    else yield* spread('[\n', value, (item) => ['  ', item], ',\n', '\n]');
  } else if (typeof value !== 'object' || value === null) yield JSON.stringify(value);
  else {
    const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
    if (entries.length === 0) yield '{}';
    else yield* spread('{\n', entries, ([name, inner]) => [`  ${JSON.stringify(name)}: `, inner], ',\n', '\n}');
  }
}

/** As JSON.stringify writes it. */
function* json(value: unknown): Generator<string, void> {
  if (Array.isArray(value) && value.length > FEW) yield* spread('[', value, (item) => ['', item], ',', ']');
  else if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
    yield* spread('{', entries, ([name, inner]) => [`${JSON.stringify(name)}:`, inner], ',', '}');
  } else yield JSON.stringify(value);
}

/** Pieces of some length, not one per item; only what is large in itself is taken apart. */
function* spread<T>(open: string, items: readonly T[], partsOf: (item: T) => readonly [before: string, value: unknown], between: string, close: string): Generator<string, void> {
  let text = open;
  let looked = 0;
  for (let i = 0; i < items.length; i++) {
    const [before, value] = partsOf(items[i] as T);
    text += (i === 0 ? '' : between) + before;
    if (isLarge(value)) {
      yield text;
      text = '';
      yield* json(value);
    } else text += JSON.stringify(value);
    if (++looked % PER_STEP !== 0) continue;
    yield text;
    text = '';
  }
  yield text + close;
}

/** Somewhere in it are many items. Looks into members, not into the items of lists. */
function isLarge(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return value.length > FEW;
  const inner = Object.values(value);
  return inner.length > FEW || inner.some(isLarge);
}

const FEW = 200;
