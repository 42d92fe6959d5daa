import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { readScenario } from './testing/fixture.ts';
import type { Scenario } from './testing/fixture.ts';
import { runScenario } from './testing/run-scenario.ts';

const FOLDER = new URL('./', import.meta.url);
const ROOT = new URL('../../../', import.meta.url);
const IDS = Array.from({ length: 66 }, (_, i) => `A-${String(i + 1).padStart(2, '0')}`);

const scenarios = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.json'))
  .sort()
  .map((file): Scenario => {
    const scenario = readScenario(JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')) as unknown, file);
    if (file !== `${scenario.id}.json`) throw new Error(`${file}: id is ${scenario.id}; a scenario lies in the file of its id`);
    return scenario;
  });

/** Titles that a scenario names and that no test has. */
function uncovered({ coveredBy }: Scenario): string[] {
  return coveredBy.flatMap(({ file, test }) => {
    const url = new URL(file, ROOT);
    if (!existsSync(url)) return [`${file} does not exist`];
    return readFileSync(url, 'utf8').includes(test) ? [] : [`${file} has no test ${JSON.stringify(test)}`];
  });
}

describe('scenarios', () => {
  it('are all there, each once', () => {
    expect(scenarios.map(({ id }) => id)).toEqual(IDS);
  });

  it('are refused if they check nothing', () => {
    const scenario = { id: 'A-00', title: 't', kind: 'engine', upstream: 'u', ours: 'same' };
    for (const cases of [[], [{ snapshot: {}, steps: [] }], [{ snapshot: {} }]]) expect(() => readScenario({ ...scenario, cases }, 'f'), JSON.stringify(cases)).toThrow(/at least one|found nothing/);
    expect(readScenario({ ...scenario, cases: [{ snapshot: {}, steps: [{ expect: { actions: [] } }] }] }, 'f').cases).toHaveLength(1);
  });

  it.each(scenarios.map((scenario) => [scenario.id, scenario.title, scenario] as const))('%s %s', (_id, _title, scenario) => {
    expect(uncovered(scenario), 'uncovered').toEqual([]);
    expect(runScenario(scenario)).toEqual([]);
  });

  afterAll(() => {
    const count = (holds: (scenario: Scenario) => boolean): number => scenarios.filter(holds).length;
    const of = (kind: Scenario['kind']): number => count((scenario) => scenario.kind === kind);
    const isDecided = ({ kind }: Scenario): boolean => kind === 'engine' || kind === 'simulator';
    const same = count((scenario) => isDecided(scenario) && scenario.ours === 'same');
    const different = count((scenario) => isDecided(scenario) && scenario.ours !== 'same');
    const counts = [same, different, of('excluded'), of('actuation')];
    expect(counts.reduce((sum, n) => sum + n, 0)).toBe(IDS.length);
    process.stdout.write(
      `scenarios: ${String(same)} same, ${String(different)} different, ${String(of('excluded'))} excluded, ${String(of('actuation'))} actuation, total ${String(scenarios.length)} (${String(of('simulator'))} of them in the simulator)\n`,
    );
  });
});
