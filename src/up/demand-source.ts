import { builtinDemand, builtinFleet } from '../world/demand/builtin.ts';
import { readTrace } from '../world/trace/read-trace.ts';
import type { Trace } from '../world/trace/read-trace.ts';
import type { UpSettings } from './settings.ts';

/** Machines and demand of the run, from a trace or built in; throws a UsageError before anything starts. */
export function demandSource(settings: UpSettings): Trace {
  const { trace, clusters, durationMs, pods } = settings;
  const options = { clusters, durationMs, ...(pods !== undefined && { pods }) };
  return trace === undefined ? { machines: builtinFleet(), demand: builtinDemand(options) } : readTrace(trace, options);
}
