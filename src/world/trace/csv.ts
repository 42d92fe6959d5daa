import { parse, CsvError } from 'csv-parse/sync';
import { UsageError } from '../../lib/usage-error.ts';

/** One cell's text turned into a value, or an explanation of what was expected. */
export type Column<T> = (text: string) => { readonly value: T } | { readonly expected: string };

export const text: Column<string> = (cell) => (cell === '' ? { expected: 'a text that is not empty' } : { value: cell });
export const optionalText: Column<string> = (cell) => ({ value: cell });

export function integer(min: number, max = Number.MAX_SAFE_INTEGER): Column<number> {
  return (cell) => {
    const value = /^\d+$/.test(cell) ? Number(cell) : NaN;
    return value >= min && value <= max ? { value } : { expected: `a whole number from ${min} to ${max}` };
  };
}

export function oneOf(...allowed: readonly string[]): Column<string> {
  return (cell) => (allowed.includes(cell) ? { value: cell } : { expected: `one of ${allowed.join(', ')}` });
}

export type Columns = Readonly<Record<string, Column<unknown>>>;
export type Row<C extends Columns> = { readonly [K in keyof C]: C[K] extends Column<infer T> ? T : never } & { readonly line: number };

/**
 * Reads a CSV text with exactly these columns in the header (in any order). Throws a UsageError that names the file, the
 * line, the column and what was expected at the first defect, so that nothing starts on half-understood input.
 */
export function readCsv<C extends Columns>(file: string, content: string, columns: C): Row<C>[] {
  const [header, ...records] = parseRecords(file, content);
  if (!header) throw new UsageError(`${file}: line 1: expected a header with ${Object.keys(columns).join(', ')}; the file is empty`);
  const positions = columnPositions(file, header.cells, Object.keys(columns));
  return records.map(({ cells, line }) => {
    if (cells.length !== header.cells.length) {
      throw new UsageError(`${file}: line ${line}: expected ${header.cells.length} columns, found ${cells.length}`);
    }
    const row: Record<string, unknown> = { line };
    for (const [name, read] of Object.entries(columns)) {
      const cell = cells[positions.get(name) ?? -1] ?? '';
      const result = read(cell);
      if ('expected' in result) throw new UsageError(`${file}: line ${line}, column ${name}: expected ${result.expected}, found "${cell}"`);
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
    const line = (error as { lines?: number }).lines;
    throw new UsageError(`${file}: ${line === undefined ? '' : `line ${line}: `}expected well-formed CSV: ${error.message}`);
  }
}

function columnPositions(file: string, header: readonly string[], names: readonly string[]): Map<string, number> {
  const missing = names.filter((name) => !header.includes(name));
  const unknown = header.filter((name) => !names.includes(name));
  if (missing.length > 0) throw new UsageError(`${file}: line 1: expected the columns ${names.join(', ')}; missing: ${missing.join(', ')}`);
  if (unknown.length > 0) throw new UsageError(`${file}: line 1: expected the columns ${names.join(', ')}; unknown: ${unknown.join(', ')}`);
  if (new Set(header).size !== header.length) throw new UsageError(`${file}: line 1: expected each column once`);
  return new Map(header.map((name, i) => [name, i]));
}
