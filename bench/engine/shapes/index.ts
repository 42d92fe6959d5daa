/** Every shape, small ones first. */
import type { Shape } from '../shape.ts';
import { AGGREGATED } from './aggregated.ts';

export const SHAPES: readonly Shape[] = [AGGREGATED];
