import type { SavedAllowances } from './allowances.ts';

export interface ParsedAllowances {
  readonly saved: SavedAllowances;
  /** What had to be left out, each with the reason; empty when all was in order. */
  readonly problems: readonly string[];
}

const AMOUNT = /^\d{1,40}$/;

/** Reads the saved form. Never throws: what is not in order counts as nothing, for feedback finds it again (D3). */
export function parseSavedAllowances(text: string): ParsedAllowances {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    return { saved: {}, problems: ['the text is not JSON'] };
  }
  if (!isRecord(content)) return { saved: {}, problems: ['the text is not a JSON object of rows'] };
  const rows: [string, SavedAllowances[string]][] = [];
  const problems: string[] = [];
  for (const [key, row] of Object.entries(content)) {
    const sigma = isRecord(row) ? amountsOf(row['sigma']) : undefined;
    const requests = isRecord(row) ? amountsOf(row['requests']) : undefined;
    if (sigma && requests) rows.push([key, { sigma, requests }]);
    else problems.push(`row ${JSON.stringify(key)}: ${sigma ? 'requests' : 'sigma'} is not an object of amounts, decimal digits in quotes`);
  }
  return { saved: Object.fromEntries(rows), problems };
}

function amountsOf(value: unknown): Record<string, string> | undefined {
  if (!isRecord(value)) return undefined;
  const entries = Object.entries(value);
  if (!entries.every((entry): entry is [string, string] => typeof entry[1] === 'string' && AMOUNT.test(entry[1]))) return undefined;
  return Object.fromEntries(entries);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
