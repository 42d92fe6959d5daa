/** Every shape, small ones first. */
import type { Shape } from '../shape.ts';
import { AGGREGATED } from './aggregated.ts';
import { CYCLE_STEADY } from './cycle-steady.ts';
import { DISTINCT } from './distinct.ts';
import { MANY_NEEDS } from './many-needs.ts';
import { PHASE2, PHASE3 } from './phases.ts';
import { REALISTIC } from './realistic.ts';
import { UBER_50K, UBER_5K, UBER_5K_UNAGGREGATED } from './uber.ts';

export const SHAPES: readonly Shape[] = [UBER_5K, UBER_5K_UNAGGREGATED, UBER_50K, ...MANY_NEEDS, ...CYCLE_STEADY, ...PHASE2, ...PHASE3, ...DISTINCT, AGGREGATED, ...REALISTIC];
