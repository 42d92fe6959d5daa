/** Whether a machine could serve a Need, told independently of the engine. */
import { labelsMatch as operatorLabelsMatch } from '../operator/row-matching.ts';
import type { EngineMachine, Need, ResourceVector } from '../engine/types.ts';
import { nodeLabels } from './cluster.ts';

export function labelsMatch(profile: Need['profile'], machine: EngineMachine): boolean {
  return operatorLabelsMatch(profile, nodeLabels(machine));
}

export function covers(machine: EngineMachine, unit: ResourceVector): boolean {
  const have = new Map(machine.allocatable);
  return unit.every(([dimension, amount]) => (have.get(dimension) ?? 0) >= amount);
}
