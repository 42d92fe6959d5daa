import { credentials } from '@grpc/grpc-js';
import { systemClock } from '../../../lib/clock.ts';
import type { Selection } from '../select.ts';
import type { ProviderStarter } from '../durable-lane.ts';
import type { SuiteResult } from '../outcome.ts';
import { runSuite } from '../run-suite.ts';
import { contractLatency, type LatencyLimits } from '../trial.ts';
import { ModelProvider, type ModelOptions, type Saved } from './model-provider.ts';
import { serveModel } from './serve-model.ts';

/** Breaks one rule of a model. */
export type Break = (model: ModelProvider) => void;

export const FLEET = 160;
const FAULT_TIMEOUT_MS = 150;

/** Tries behaviours on a model, broken or not. `reachMs`: how long to wait for what will never come. */
export async function tryModel(selection: Selection, { breakIt = () => {}, reachMs = 10_000, isKept = true, latency = contractLatency, signal }: { breakIt?: Break | undefined; reachMs?: number | undefined; isKept?: boolean; latency?: LatencyLimits; signal?: AbortSignal } = {}): Promise<SuiteResult> {
  const build = (options: Partial<ModelOptions>): ModelProvider => {
    const model = new ModelProvider({ seeds: FLEET, timeoutMs: FAULT_TIMEOUT_MS, clock: systemClock, ...options });
    breakIt(model);
    if (options.saved) model.recover();
    return model;
  };
  const model = build({});
  const served = await serveModel(model);
  try {
    return await runSuite({
      ...selection, target: served.address, credentials: credentials.createInsecure(), seed: 1, runId: 'self', clock: systemClock,
      pace: { reachMs, stillMs: 60, markMs: 60, quietMs: 120, faultTimeoutMs: FAULT_TIMEOUT_MS, soakMs: 200, latency },
      scaleMachines: FLEET, isKept, ...(signal && { signal }), durable: { provider: restarts(build, FAULT_TIMEOUT_MS), stuck: restarts(build, 60_000) },
    });
  } finally {
    served.kill();
  }
}

/** A model that forgets everything but what it has saved when it is killed. */
function restarts(build: (options: Partial<ModelOptions>) => ModelProvider, timeoutMs: number): ProviderStarter {
  const states = new Map<string, Saved>();
  return {
    async start(stateName, seeds) {
      const saved = states.get(stateName);
      const model = build({ seeds, timeoutMs, ...(saved && { saved }) });
      const served = await serveModel(model);
      return {
        address: served.address,
        async kill() {
          states.set(stateName, model.save());
          served.kill();
        },
      };
    },
  };
}
