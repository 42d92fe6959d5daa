import type { Machine } from '../kit/machine.ts';
import { faults, isFault, type Fault } from './faults.ts';

/** The step of a machine's life that a selector is about; `ready` is the wait for its Node at the end of a Configure. */
export type Step = 'create' | 'configure' | 'ready' | 'drain' | 'delete';

export interface Selected {
  readonly fault: Fault;
  /** How it was selected, for the error's words. */
  readonly by: string;
}

export const LABEL_PREFIX = 'conformance.fault/';
const CLUSTER_PREFIX = 'fault-';
/** A machine that joined this cluster breaks by itself some time later. */
export const INTERRUPTED_CLUSTER = 'fault-interrupt';

/** Other names of cluster selectors that exist in the contract's suite (spec: provider 1.4, B708). */
const aliases: Readonly<Record<string, string>> = { 'readiness-block': 'ready-timeout', 'readiness-error': 'ready-error' };

/**
 * What is to go wrong with this step of this machine (spec: provider 1.4, B7xx): by a label of the slot,
 * `conformance.fault/<step>=<fault>`; or by the name of the cluster, `fault-<fault>` for Configure and
 * `fault-<step>-<fault>` for any step while the machine is bound.
 */
export function selected(step: Step, machine: Machine): Selected | undefined {
  const label = machine.labels[LABEL_PREFIX + step];
  if (label !== undefined && isFault(label)) return { fault: label, by: `label ${LABEL_PREFIX}${step}=${label}` };
  if (!machine.cluster.startsWith(CLUSTER_PREFIX)) return undefined;
  const given = machine.cluster.slice(CLUSTER_PREFIX.length);
  const name = aliases[given] ?? given;
  const fault = step === 'configure' && isFault(name) ? name : name.startsWith(`${step}-`) ? name.slice(step.length + 1) : '';
  return isFault(fault) ? { fault, by: `cluster ${machine.cluster}` } : undefined;
}

/** Every selector, for --help. */
export function selectorHelp(): string {
  return Object.entries(faults).map(([name, what]) => `  ${name.padEnd(12)} ${what}`).join('\n');
}
