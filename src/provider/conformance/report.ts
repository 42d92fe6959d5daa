import type { Exchange } from './exchange.ts';
import type { Outcome, SuiteResult } from './outcome.ts';
import { areas } from './behaviour.ts';

const EXCHANGES_SHOWN = 24;

/** One line of progress. */
export function progressLine({ behaviour, result, ms, notes = [] }: Outcome): string {
  const mark = { passed: 'ok    ', failed: 'FAILED', skipped: 'skip  ' }[result];
  return `${mark} ${behaviour.id.padEnd(6)} ${behaviour.promise} (${[...notes, `${ms} ms`].join('; ')})`;
}

/** What is wrong, what was expected and what was said, for one outcome that is no pass; '' for a pass. */
export function explanation(outcome: Outcome): string {
  const { behaviour, result, expected = '', got = '', reason = '' } = outcome;
  if (result === 'passed') return '';
  if (result === 'skipped') return `skip   ${behaviour.id}: ${reason}\n`;
  return [
    `FAILED ${behaviour.id}: ${behaviour.promise}`,
    `  expected  ${expected}`,
    `  got       ${got}`,
    ...exchangeLines(outcome),
    '',
  ].join('\n');
}

function exchangeLines({ exchanges = [], exchange, omitted = 0 }: Outcome): string[] {
  if (exchanges.length === 0) return [];
  // What matters is what led to the call that showed it.
  const at = exchange === undefined ? exchanges.length : exchanges.findIndex((e) => e.number === exchange) + 4;
  const end = Math.min(exchanges.length, Math.max(at, EXCHANGES_SHOWN));
  const shown = exchanges.slice(Math.max(0, end - EXCHANGES_SHOWN), end);
  const left = exchanges.length + omitted - shown.length;
  return [`  exchanges${left > 0 ? ` (${left} more in the JSON report)` : ''}`, ...shown.map((e) => `  ${e.number === exchange ? '>' : ' '} ${exchangeLine(e)}`)];
}

function exchangeLine({ number, atMs, sent, got, times }: Exchange): string {
  return `#${number} +${atMs} ms  ${sent}${times > 1 ? ` (${times} times)` : ''}\n        → ${got}`;
}

/** The whole run in words. */
export function summary(result: SuiteResult): string {
  const { target, claims, verdict, reasons, outcomes, applicable, ms, seed, leftBehind } = result;
  const { passed, failed, skipped } = tally(outcomes);
  const lines = areas.flatMap((area) => {
    const of = outcomes.filter((o) => o.behaviour.area === area);
    return of.length === 0 ? [] : [`  ${area.padEnd(12)} ${String(tally(of).passed).padStart(3)} of ${of.length}`];
  });
  return [
    ...outcomes.map(explanation).filter((text) => text !== ''),
    `${target}, profiles ${claims.join(', ')}, seed ${seed}, ${(ms / 1000).toFixed(1)} s`,
    ...lines,
    ...leftBehind.slice(0, 5).map((text) => `left behind: ${text}`),
    ...(leftBehind.length > 5 ? [`left behind: ${leftBehind.length - 5} more machines`] : []),
    `${verdict}: ${passed} passed, ${failed} failed, ${skipped} skipped, ${applicable} required`,
    ...reasons.map((reason) => `  ${reason}`),
    '',
  ].join('\n');
}

/** One JSON document (spec: reports, ConformanceReport). */
export function jsonReport(result: SuiteResult): object {
  const { target, claims, seed, verdict, reasons, outcomes, capabilities, applicable, ms, leftBehind } = result;
  return {
    kind: 'ConformanceReport', target, verdict, reasons, profiles: claims, seed, ...tally(outcomes), applicable, ms, capabilities, leftBehind,
    results: outcomes.map((o) => ({
      id: o.behaviour.id, area: o.behaviour.area, profiles: o.behaviour.profiles, promise: o.behaviour.promise, outcome: o.result, ms: o.ms,
      detail: detail(o),
      ...(o.notes && { notes: o.notes }),
      ...(o.expected !== undefined && { expected: o.expected, got: o.got }),
      ...(o.exchange !== undefined && { exchange: o.exchange }),
      ...(o.exchanges && { exchanges: o.exchanges }),
    })),
  };
}

/** A document for shields.io. */
export function badge({ verdict, outcomes, applicable }: SuiteResult): object {
  const color = { CERTIFIED: 'brightgreen', FAILED: 'red', INCOMPLETE: 'yellow' }[verdict];
  return { schemaVersion: 1, label: 'bigfleet conformance', message: `${verdict} (${tally(outcomes).passed}/${applicable})`, color };
}

/** JUnit XML: a suite per area. */
export function junit(result: SuiteResult): string {
  const suites = areas.flatMap((area) => {
    const of = result.outcomes.filter((o) => o.behaviour.area === area);
    if (of.length === 0) return [];
    const { failed, skipped } = tally(of);
    const cases = of.map((o) => testCase(o)).join('\n');
    return [`  <testsuite name="${area}" tests="${of.length}" failures="${failed}" skipped="${skipped}" time="${seconds(of)}">\n${cases}\n  </testsuite>`];
  });
  const { failed, skipped } = tally(result.outcomes);
  return `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="bigfleet conformance ${xml(result.target)}" tests="${result.outcomes.length}" failures="${failed}" skipped="${skipped}" time="${seconds(result.outcomes)}">
${suites.join('\n')}
</testsuites>
`;
}

function testCase(o: Outcome): string {
  const open = `    <testcase classname="${o.behaviour.area}" name="${xml(`${o.behaviour.id}: ${o.behaviour.promise}`)}" time="${(o.ms / 1000).toFixed(3)}"`;
  if (o.result === 'passed') return `${open}/>`;
  if (o.result === 'skipped') return `${open}><skipped message="${xml(o.reason ?? '')}"/></testcase>`;
  return `${open}><failure message="${xml(detail(o))}">${xml(explanation(o))}</failure></testcase>`;
}

function detail({ result, expected = '', got = '', reason = '' }: Outcome): string {
  if (result === 'passed') return '';
  return result === 'skipped' ? reason : `expected ${expected}; got ${got}`;
}

export function tally(outcomes: readonly Outcome[]): { readonly passed: number; readonly failed: number; readonly skipped: number } {
  const count = (result: Outcome['result']): number => outcomes.filter((o) => o.result === result).length;
  return { passed: count('passed'), failed: count('failed'), skipped: count('skipped') };
}

function seconds(outcomes: readonly Outcome[]): string {
  return (outcomes.reduce((sum, o) => sum + o.ms, 0) / 1000).toFixed(3);
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** XML 1.0 has no way to write most control characters. */
function xml(text: string): string {
  return text.replace(/[&<>"]/g, (c) => ENTITIES[c] ?? c).replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd]/g, '\ufffd');
}
