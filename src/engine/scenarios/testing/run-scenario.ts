/** Runs the cases of a scenario: one plan, or the loop around the engine, step by step. */
import { parseSnapshot } from '../../../snapshot/parse.ts';
import { planOnce } from '../../engine.ts';
import { Simulation } from '../../testing/simulation.ts';
import type { SimulationOptions } from '../../testing/simulation.ts';
import type { Action, Plan, Snapshot } from '../../types.ts';
import { differences, listed, sameCounts, tally } from './expectation.ts';
import type { Expectation } from './expectation.ts';
import { over } from './fixture.ts';
import type { Case, Document, Scenario, Step } from './fixture.ts';

/** What is not as the scenario expects, with the case and the step; nothing = all is. */
export function runScenario(scenario: Scenario): string[] {
  return scenario.cases.flatMap((one, i) => runCase(one).map((difference) => `${one.name || `case ${String(i + 1)}`}: ${difference}`));
}

function runCase({ snapshot, expect, loop }: Case): string[] {
  if (loop !== undefined) return runLoop(snapshot, loop);
  if (expect === undefined) throw new Error('a case without steps has an expectation');
  if (expect.refused !== undefined) return runRefused(snapshot, expect.refused);
  const { snapshot: world, at } = parseSnapshot(snapshot);
  const plan = planOnce(world, at);
  return differences(expect, plan.actions, plan);
}

function runRefused(snapshot: Document, message: string): string[] {
  try {
    parseSnapshot(snapshot);
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    return said.includes(message) ? [] : [`refused with ${JSON.stringify(said)}, expected ${JSON.stringify(message)}`];
  }
  return [`accepted, expected to be refused with ${JSON.stringify(message)}`];
}

function runLoop(document: Document, { cycleMs, delays, steps }: NonNullable<Case['loop']>): string[] {
  const start = parseSnapshot(document);
  const options: SimulationOptions = { cycleMs, delay: (_, transition) => delays[transition] ?? 0 };
  let simulation = new Simulation(start.snapshot, start.at, options);
  return steps.flatMap((step, i) => {
    // A world that is changed from outside starts anew from all that is known: the snapshot loses nothing.
    const changed = changedBy(step, document, simulation.engine.snapshot());
    if (changed !== undefined) simulation = new Simulation(changed, simulation.now, options);
    const actions: Action[] = [];
    let plan: Plan | undefined;
    for (let cycle = 0; cycle < step.cycles; cycle++) {
      plan = simulation.step();
      actions.push(...plan.actions);
    }
    if (plan === undefined) return [`step ${String(i + 1)}: has no cycles`];
    return [...differences(step.expect, actions, plan), ...stateDifferences(step.expect, simulation)].map((difference) => `step ${String(i + 1)}: ${difference}`);
  });
}

function changedBy(step: Step, document: Document, known: Snapshot): Snapshot | undefined {
  if (step.machines.length === 0 && Object.keys(step.clusters).length === 0) return undefined;
  const stated = parseSnapshot(over(document, { machines: step.machines, clusters: step.clusters, memory: {} })).snapshot;
  const replaced = new Set(stated.machines.map(({ id }) => id));
  return {
    ...known,
    machines: [...known.machines.filter(({ id }) => !replaced.has(id)), ...stated.machines],
    needs: new Map([...known.needs, ...stated.needs]),
    sessions: new Set([...known.sessions, ...stated.sessions]),
  };
}

function stateDifferences({ states }: Expectation, simulation: Simulation): string[] {
  if (states === undefined) return [];
  const found = tally(simulation.machines().map(({ state }) => state));
  return sameCounts(found, states) ? [] : [`machines: expected ${listed(states)}, found ${listed(found)}`];
}
