import { expect } from './promise.ts';

/** Of the report of `bigfleet up`, only what is checked here. */
export interface UpReport {
  readonly kind: string;
  readonly pods: { submitted: number; bound: number; finished: number; recreated: number; pending: number };
  readonly leaks: Readonly<Record<string, number>>;
  readonly violations: Readonly<Record<string, number>>;
  readonly latencyMs: { podCreatedToBound: { n: number } };
  readonly wallSeconds: number;
}

export function upReport(stdout: string): UpReport {
  return JSON.parse(stdout) as UpReport;
}

/** Throws unless at least so many Pods were submitted, each was served exactly once a life, and nothing is left or went wrong. */
export function expectServed({ kind, pods, latencyMs, leaks, violations }: UpReport, atLeast: number): void {
  const { submitted, bound, finished, recreated, pending } = pods;
  expect(kind === 'UpReport' && submitted >= atLeast, `${submitted} Pods submitted`);
  expect(finished === submitted && pending === 0, `${finished} of ${submitted} Pods finished, ${pending} pending`);
  const lives = latencyMs.podCreatedToBound.n;
  expect(bound === submitted && lives === submitted + recreated, `${bound} Pods bound ${lives} times: ${submitted} were submitted, ${recreated} recreated`);
  for (const counts of [leaks, violations]) {
    const bad = Object.entries(counts).filter(([, count]) => count !== 0);
    expect(Object.keys(counts).length >= 3 && bad.length === 0, `not all zero: ${JSON.stringify(counts)}`);
  }
}
