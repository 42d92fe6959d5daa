/**
 * What JSON.parse takes and a document may not be. Fields that an object has twice: the last of them is kept and nothing said,
 * so that half of what somebody wrote is lost. And more in each other than any document has: what walks through it would not return.
 */
import { SnapshotError, within } from './reader.ts';

/** An object or a list that has been begun. */
interface Open {
  /** Fields so far; undefined = a list. */
  readonly fields: Set<string> | undefined;
  /** Where in it the reading is; undefined = before the name of a field. */
  at: string | number | undefined;
}

/** Documents have about ten. */
const MOST_NESTED = 100;

/** Throws a SnapshotError that names the path of the first such field, or the depth. `json` is JSON: JSON.parse has accepted it. */
export function refuseRepeatedFields(json: string): void {
  const opened: Open[] = [];
  for (let i = 0; i < json.length; i++) {
    if (opened.length > MOST_NESTED) throw new SnapshotError('', `objects and lists are more than ${String(MOST_NESTED)} deep in each other; no snapshot or plan is`);
    const open = opened.at(-1);
    switch (json.charAt(i)) {
      case '{':
        opened.push({ fields: new Set(), at: undefined });
        break;
      case '[':
        opened.push({ fields: undefined, at: 0 });
        break;
      case '}':
      case ']':
        opened.pop();
        break;
      case ',':
        if (open !== undefined) open.at = typeof open.at === 'number' ? open.at + 1 : undefined;
        break;
      case '"': {
        const end = endOfText(json, i);
        if (open?.fields !== undefined && open.at === undefined) enter(nameIn(json.slice(i, end + 1)), open.fields, opened);
        i = end;
      }
    }
  }
}

function enter(name: string, fields: Set<string>, opened: readonly Open[]): void {
  (opened.at(-1) as Open).at = name;
  if (fields.has(name)) throw new SnapshotError(opened.reduce((path, { at }) => within(path, at as string | number), ''), 'is written twice in one object; keep one of them');
  fields.add(name);
}

/** Names are many, and hardly any is written with escapes. */
function nameIn(quoted: string): string {
  return quoted.includes('\\') ? (JSON.parse(quoted) as string) : quoted.slice(1, -1);
}

/** Where the text ends that begins at `start`: at its closing quotation mark. */
function endOfText(json: string, start: number): number {
  let i = start + 1;
  while (json[i] !== '"') i += json[i] === '\\' ? 2 : 1;
  return i;
}
