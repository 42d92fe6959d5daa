/** Fields that a JSON object has twice: JSON.parse keeps the last of them and says nothing, so that half of what somebody wrote is lost. */
import { SnapshotError, within } from './reader.ts';

/** An object or a list that has been begun. */
interface Open {
  /** Fields so far; undefined = a list. */
  readonly fields: Set<string> | undefined;
  /** Where in it the reading is; undefined = before the name of a field. */
  at: string | number | undefined;
}

/** Throws a SnapshotError that names the path of the first such field. `json` is JSON: JSON.parse has accepted it. */
export function refuseRepeatedFields(json: string): void {
  const opened: Open[] = [];
  for (let i = 0; i < json.length; i++) {
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
