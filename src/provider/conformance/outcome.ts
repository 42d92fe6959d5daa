import type { Behaviour, Capability, Profile } from './behaviour.ts';
import type { Exchange } from './exchange.ts';

/** What came of trying one behaviour. A skip is no pass. */
export interface Outcome {
  readonly behaviour: Behaviour;
  readonly result: 'passed' | 'failed' | 'skipped';
  readonly ms: number;
  /** Of a failure: what should have come back, and what did. */
  readonly expected?: string;
  readonly got?: string;
  /** Number of the exchange that showed it. */
  readonly exchange?: number;
  /** Figures, such as latencies. */
  readonly notes?: readonly string[];
  /** Of a skip. */
  readonly reason?: string;
  /** Of a failure. */
  readonly exchanges?: readonly Exchange[];
  /** How many more in the middle were not kept. */
  readonly omitted?: number;
}

export type Verdict = 'CERTIFIED' | 'FAILED' | 'INCOMPLETE';

export interface SuiteResult {
  readonly target: string;
  readonly claims: readonly Profile[];
  readonly seed: number;
  readonly verdict: Verdict;
  /** Why it is INCOMPLETE: one sentence each. */
  readonly reasons: readonly string[];
  readonly outcomes: readonly Outcome[];
  readonly capabilities: Readonly<Record<Capability, boolean>>;
  /** How many behaviours the claims require, the baseline included. */
  readonly applicable: number;
  readonly ms: number;
  /** Machines that could not be brought back to SPECULATIVE, and why. */
  readonly leftBehind: readonly string[];
}

/** CERTIFIED only if everything that is required was tried and kept (spec: provider 1.5), and that is not nothing. */
export function verdictOf(needed: readonly Behaviour[], outcomes: readonly Outcome[]): { verdict: Verdict; reasons: readonly string[] } {
  if (outcomes.some((o) => o.result === 'failed')) return { verdict: 'FAILED', reasons: [] };
  const passed = new Set(outcomes.filter((o) => o.result === 'passed').map((o) => o.behaviour.id));
  const skipped = outcomes.filter((o) => o.result === 'skipped').map((o) => `${o.behaviour.id} could not be tried: ${o.reason ?? ''}`);
  const untried = needed.filter((b) => !outcomes.some((o) => o.behaviour === b)).length;
  const reasons = [
    ...(outcomes.length === 0 ? ['nothing was tried'] : []),
    ...skipped,
    ...(untried > 0 ? [`${untried} of ${needed.length} required behaviours were not tried`] : []),
    ...(needed.some((b) => b.area === 'baseline' && passed.has(b.id)) ? [] : ['no test of the baseline has passed']),
  ];
  return { verdict: reasons.length === 0 ? 'CERTIFIED' : 'INCOMPLETE', reasons };
}
