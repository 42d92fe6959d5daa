/** A shape: sizes, demand and what must be decided, and which rows are measured on it. */
import type { ShapeRun } from './workbench.ts';

export interface Shape {
  readonly name: string;
  /** Heap that its process may take, MiB. */
  readonly heapMb: number;
  readonly about: string;
  readonly measure: (run: ShapeRun) => void | Promise<void>;
}
