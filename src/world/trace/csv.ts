import { parse, CsvError } from 'csv-parse/sync';
import { UsageError } from '../../lib/usage-error.ts';

/** One cell's text turned into a value, or an explanation of what was expected. */
export type Column<T> = (text: string) => { readonly value: T } | { readonly expected: string };

export const optionalText: Column<string> = (cell) => ({ value: cell });

export function integer(min: number, max = Number.MAX_SAFE_INTEGER): Column<number> {
  return (cell) => {
    const value = /^\d+$/.test(cell) ? Number(cell) : NaN;
    return value >= min && value <= max ? { value } : { expected: `a whole number from ${min} to ${max}` };
  };
}

/** A whole number that may be left out: then it is undefined. */
export function optionalInteger(min: number): Column<number | undefined> {
  const read = integer(min);
  return (cell) => (cell === '' ? { value: undefined } : orNothing(read(cell)));
}

export function optionalOneOf(...allowed: readonly string[]): Column<string> {
  const read = oneOf(...allowed);
  return (cell) => (cell === '' ? { value: '' } : orNothing(read(cell)));
}

/** Parts from the list, separated by `|`, or nothing. */
export function optionalListOf(...allowed: readonly string[]): Column<readonly string[]> {
  return (cell) => {
    const value = cell === '' ? [] : cell.split('|');
    return value.every((part) => allowed.includes(part)) ? { value } : { expected: `nothing, or some of ${allowed.join(', ')} separated by "|"` };
  };
}

/** What Kubernetes accepts as the name of an object (a DNS-1123 subdomain), of so many characters at most. */
export function objectName(maxLength: number): Column<string> {
  return (cell) =>
    cell.length <= maxLength && OBJECT_NAME.test(cell)
      ? { value: cell }
      : { expected: `a name of 1 to ${maxLength} lowercase letters, digits, "-" and ".", each part between dots beginning and ending with a letter or digit` };
}

const OBJECT_NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

function orNothing<T>(result: ReturnType<Column<T>>): ReturnType<Column<T>> {
  return 'expected' in result ? { expected: `nothing or ${result.expected}` } : result;
}

export function oneOf(...allowed: readonly string[]): Column<string> {
  return (cell) => (allowed.includes(cell) ? { value: cell } : { expected: `one of ${allowed.join(', ')}` });
}

export type Columns = Readonly<Record<string, Column<unknown>>>;
export type Row<C extends Columns> = { readonly [K in keyof C]: C[K] extends Column<infer T> ? T : never } & { readonly line: number };

/**
 * Reads a CSV text with exactly these columns in the header (in any order). Throws a UsageError that names the file, the
 * line, the column and what was expected at the first defect, so that nothing starts on half-understood input. A header
 * alone is a defect too: there would be nothing to do.
 */
export function readCsv<C extends Columns>(file: string, content: string, columns: C): Row<C>[] {
  const [header, ...records] = parseRecords(file, content);
  if (!header) throw new UsageError(`${file}: line 1: expected a header with ${Object.keys(columns).join(', ')}; the file is empty`);
  const positions = columnPositions(file, header.cells, Object.keys(columns));
  if (records.length === 0) throw new UsageError(`${file}: line ${header.line + 1}: expected at least one row after the header, found none`);
  return records.map(({ cells, line }) => {
    if (cells.length !== header.cells.length) {
      const first = header.cells[cells.length] ?? String(header.cells.length + 1);
      const what = cells.length < header.cells.length ? 'missing' : 'surplus';
      throw new UsageError(`${file}: line ${line}, column ${first}: expected ${header.cells.length} columns, found ${cells.length}; this is the first ${what} one`);
    }
    cells.forEach((cell, i) => {
      const damage = damageOf(cell);
      if (damage) throw new UsageError(`${file}: line ${line}, column ${header.cells[i] ?? i + 1}: expected UTF-8 text without NUL, found ${damage}`);
    });
    const row: Record<string, unknown> = { line };
    for (const [name, read] of Object.entries(columns)) {
      const cell = cells[positions.get(name) ?? -1] ?? '';
      const result = read(cell);
      if ('expected' in result) throw new UsageError(`${file}: line ${line}, column ${name}: expected ${result.expected}, found ${JSON.stringify(cell)}`);
      row[name] = result.value;
    }
    return row as Row<C>;
  });
}

/** Throws at the first row whose `key` an earlier row has already. */
export function requireUnique<R extends { readonly line: number }>(file: string, rows: readonly R[], key: keyof R & string): void {
  const seen = new Map<unknown, number>();
  for (const row of rows) {
    const earlier = seen.get(row[key]);
    if (earlier !== undefined) {
      throw new UsageError(`${file}: line ${row.line}, column ${key}: expected a unique value, found "${String(row[key])}" as on line ${earlier}`);
    }
    seen.set(row[key], row.line);
  }
}

function parseRecords(file: string, content: string): { cells: string[]; line: number }[] {
  try {
    const parsed = parse(content, { bom: true, info: true, relax_column_count: true, skip_empty_lines: true }) as unknown as {
      record: string[];
      info: { lines: number };
    }[];
    return parsed.map(({ record, info }) => ({ cells: record, line: info.lines }));
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const { lines = 1, column } = error as { lines?: number; column?: number | string };
    const at = error.code === 'CSV_QUOTE_NOT_CLOSED' ? openQuote(content) : { line: lines, position: typeof column === 'number' ? column : 0 };
    const what = error.code === 'CSV_QUOTE_NOT_CLOSED' ? 'a quote that is closed, found none before the end of the file' : `well-formed CSV: ${error.message}`;
    throw new UsageError(`${file}: line ${at.line}, column ${columnName(content, at)}: expected ${what}`);
  }
}

/** Where the quote begins that the file never closes. `position` counts cells from 0. */
function openQuote(content: string): { line: number; position: number } {
  let [line, position] = [1, 0];
  let open: { line: number; position: number } | undefined;
  for (const char of content) {
    // A doubled quote within a cell closes and opens again, which comes to the same.
    if (char === '"') open = open ? undefined : { line, position };
    if (char === ',' && !open) position++;
    if (char === '\n') {
      line++;
      if (!open) position = 0;
    }
  }
  return open ?? { line, position };
}

function columnName(content: string, at: { line: number; position: number }): string {
  const header = (content.split(/\r?\n/, 1)[0] ?? '').replace(/^\uFEFF/, '').split(',');
  return (at.line > 1 ? header[at.position] : undefined) ?? String(at.position + 1);
}

/** What no cell may hold: NUL, and what decoding puts in the place of bytes that are not UTF-8. */
function damageOf(cell: string): string | undefined {
  if (cell.includes('\0')) return 'NUL';
  return cell.includes('\uFFFD') ? 'U+FFFD (bytes that are not UTF-8)' : undefined;
}

function columnPositions(file: string, header: readonly string[], names: readonly string[]): Map<string, number> {
  const missing = names.filter((name) => !header.includes(name));
  const unknown = header.filter((name) => !names.includes(name));
  const refuse = (column: string | number, what: string): never => {
    throw new UsageError(`${file}: line 1, column ${column}: expected the columns ${names.join(', ')}; ${what}`);
  };
  if (missing.length > 0) refuse(missing[0] ?? '', `missing: ${missing.join(', ')}`);
  if (unknown.length > 0) refuse(header.indexOf(unknown[0] ?? '') + 1, `unknown: ${unknown.map((name) => JSON.stringify(name)).join(', ')}`);
  const twice = header.findIndex((name, i) => header.indexOf(name) !== i);
  if (twice >= 0) throw new UsageError(`${file}: line 1, column ${twice + 1}: expected each column once, found ${header[twice] ?? ''} again`);
  return new Map(header.map((name, i) => [name, i]));
}
