import type { ExploreReport } from './explore.ts';
import type { PlantedOutcome } from './planted/run.ts';

/** For people. The transcript of the first failure comes first, so that the summary is what one sees. */
export function reportText(report: ExploreReport): string {
  const { worlds, seconds, seedsPerSecond, worldHours, withTwoProviders, coverage, neglected, failed, transcript } = report;
  const lines = [
    ...(transcript === undefined ? [] : [transcript]),
    'fault                            times   worlds',
    ...coverage.map(({ kind, times, worlds: hit }) => `${kind.padEnd(30)} ${String(times).padStart(7)}  ${String(hit).padStart(5)}  ${worlds === 0 ? '' : `${Math.round((100 * hit) / worlds)} %`}`),
    '',
    `${worlds} worlds (${worldHours} h of them) in ${seconds} s: ${seedsPerSecond} seeds per second`,
    `${withTwoProviders} of them with two providers, one of which breaks once more at the end while the other has to serve`,
    ...neglected.map((kind) => `HARDLY TRIED: ${kind}, in less than a tenth of the worlds`),
    ...failed.map(({ seed, violations }) => `FAILED: seed ${seed}: ${violations.join('; ')}\n        again: npm run explore -- --seed ${seed} --transcript`),
    ...(failed.length === 0 && neglected.length === 0 ? ['nothing happened that must not, and every world came to rest'] : []),
  ];
  return `${lines.join('\n')}\n`;
}

/** One planted defect: what found it. */
export function plantedText({ id, seed, violation, worlds, seconds, broken }: PlantedOutcome): string {
  const verdict = broken !== undefined ? `BROKEN: ${broken}` : seed === undefined ? `SURVIVES ${worlds} worlds` : `seed ${seed}: ${violation ?? ''}`;
  return `${id.padEnd(32)} ${seconds.toFixed(1).padStart(6)} s  ${verdict}\n`;
}
