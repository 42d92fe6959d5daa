/**
 * A vitest reporter: of the tests that the engine's scenarios name under `coveredBy` each must have run and passed. Of a run
 * of some files only those files are asked for; of a run of all of them every one.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Reporter, TestModule, Vitest } from 'vitest/node';

const SCENARIOS = join('src', 'engine', 'scenarios');

interface Named {
  readonly scenario: string;
  readonly file: string;
  readonly test: string;
}

/** What the tests that ran leave uncovered, one sentence each. `ran`: full titles of what passed, by file. */
export function uncovered(named: readonly Named[], ran: ReadonlyMap<string, readonly string[]>, isComplete: boolean): string[] {
  return named.flatMap(({ scenario, file, test }) => {
    const passed = ran.get(file);
    if (passed === undefined) return isComplete ? [`${scenario}: ${file} did not run`] : [];
    const title = patternOf(test);
    return passed.some((name) => title.test(name)) ? [] : [`${scenario}: no test of ${file} that passed is called ${JSON.stringify(test)}`];
  });
}

/** `%i` and the like stand for what a table puts there. */
function patternOf(test: string): RegExp {
  return new RegExp(test.split(/%[a-zA-Z]/).map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('.*'));
}

function namedTests(root: string): Named[] {
  return readdirSync(join(root, SCENARIOS)).filter((file) => file.endsWith('.json')).flatMap((file) => {
    const { id, coveredBy = [] } = JSON.parse(readFileSync(join(root, SCENARIOS, file), 'utf8')) as { id: string; coveredBy?: Omit<Named, 'scenario'>[] };
    return coveredBy.map((test) => ({ scenario: id, ...test }));
  });
}

export default class CoveredBy implements Reporter {
  private vitest: Vitest | undefined;

  onInit(vitest: Vitest): void {
    this.vitest = vitest;
  }

  async onTestRunEnd(modules: readonly TestModule[], _errors: unknown, reason: string): Promise<void> {
    const { vitest } = this;
    // One that was interrupted says nothing, and so does one that asks for titles.
    if (vitest === undefined || reason === 'interrupted' || vitest.config.testNamePattern !== undefined) return;
    const { root } = vitest.config;
    const ran = new Map(modules.map((module) => [
      relative(root, module.moduleId).replaceAll('\\', '/'),
      [...module.children.allTests('passed')].map(({ fullName }) => fullName),
    ]));
    const all = await vitest.globTestSpecifications();
    const complaints = uncovered(namedTests(root), ran, modules.length >= all.length);
    for (const complaint of complaints) console.error(complaint);
    if (complaints.length > 0) process.exitCode = 1;
  }
}
