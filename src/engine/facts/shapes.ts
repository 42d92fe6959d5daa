/**
 * What machines are like. A shape is everything a provider says about a machine that other machines may share; a class
 * is what of it a Need can tell apart: type, zone, capacity type, price, probability, allocatable and the labels that some
 * Need asks about. A few hundred classes stand for half a million machines, so matching is done per class.
 */
import { compareText } from '../../lib/compare-text.ts';
import type { CapacityType, EngineMachine, ResourceVector } from '../types.ts';
import type { Dimensions } from './dimensions.ts';

export interface Shape {
  readonly index: number;
  readonly key: string;
  readonly instanceType: string;
  readonly zone: string;
  readonly capacityType: CapacityType;
  readonly labels: Readonly<Record<string, string>>;
  readonly allocatable: ResourceVector;
  readonly priceMicroUsdPerHour: number;
  readonly interruptionProbability: number;
  class: MachineClass;
  members: number;
}

export interface MachineClass {
  readonly index: number;
  readonly key: string;
  readonly instanceType: string;
  readonly zone: string;
  readonly capacityType: CapacityType;
  /** Those that some Need asks about. */
  readonly labels: Readonly<Record<string, string>>;
  readonly priceMicroUsdPerHour: number;
  readonly interruptionProbability: number;
  /** Allocatable by dimension index; whole numbers, capacity rounded down. */
  readonly amounts: readonly number[];
  /** Machines that count for somebody or could, by state; what `matchingSupply` reports. */
  readonly usable: { idle: number; speculative: number; configured: number };
  shapes: number;
}

export class Shapes {
  readonly #dimensions: Dimensions;
  readonly #shapes: (Shape | undefined)[] = [];
  readonly #shapeByKey = new Map<string, Shape>();
  readonly #freeShapes: number[] = [];
  readonly #classes: (MachineClass | undefined)[] = [];
  readonly #classByKey = new Map<string, MachineClass>();
  readonly #freeClasses: number[] = [];
  /** Shapes whose machines share one labels object: callers that intern what they read are served without a key. */
  readonly #byLabels = new WeakMap<EngineMachine['labels'], readonly Shape[]>();
  #log: number[] = [];
  /** How many entries of the log have been forgotten. */
  #forgotten = 0;
  #labelKeys: readonly string[] = [];

  constructor(dimensions: Dimensions) {
    this.#dimensions = dimensions;
  }

  /** Counts how many classes have begun or ended. */
  get classVersion(): number {
    return this.#forgotten + this.#log.length;
  }

  /** Indices of classes that have begun or ended since: what was worked out per class is stale for these. undefined = too long ago to say. */
  classesSince(version: number): readonly number[] | undefined {
    return version < this.#forgotten ? undefined : this.#log.slice(version - this.#forgotten);
  }

  get labelKeys(): readonly string[] {
    return this.#labelKeys;
  }

  /** Class indices run from 0 to this − 1; some may be unused. */
  get classCapacity(): number {
    return this.#classes.length;
  }

  shape(index: number): Shape {
    return this.#shapes[index] as Shape;
  }

  /** The shapes as they are numbered now. */
  freeze(): { shape(index: number): Shape } {
    const shapes = this.#shapes.slice();
    return { shape: (index) => shapes[index] as Shape };
  }

  class(index: number): MachineClass | undefined {
    return this.#classes[index];
  }

  *classes(): Iterable<MachineClass> {
    for (const cls of this.#classes) if (cls !== undefined) yield cls;
  }

  /** True if the machine is of this very shape, judged by the identity of its parts: cheap, and right when it says yes. */
  isOf(shape: Shape, machine: EngineMachine): boolean {
    return (
      shape.labels === machine.labels &&
      shape.allocatable === machine.allocatable &&
      shape.instanceType === machine.instanceType &&
      shape.zone === machine.zone &&
      shape.priceMicroUsdPerHour === machine.priceMicroUsdPerHour &&
      shape.capacityType === machine.capacityType &&
      shape.interruptionProbability === machine.interruptionProbability
    );
  }

  /** The machine's shape, with one member more. */
  enter(machine: EngineMachine): Shape {
    const alike = this.#byLabels.get(machine.labels);
    const known = alike?.find((candidate) => candidate.members > 0 && this.isOf(candidate, machine));
    if (known !== undefined) {
      known.members++;
      return known;
    }
    const shape = this.#enterByKey(machine);
    if (alike === undefined) this.#byLabels.set(machine.labels, [shape]);
    else if (this.isOf(shape, machine)) this.#byLabels.set(machine.labels, [shape, ...alike.filter(({ members }) => members > 0).slice(0, MOST_ALIKE)]);
    return shape;
  }

  #enterByKey(machine: EngineMachine): Shape {
    const key = shapeKey(machine);
    let shape = this.#shapeByKey.get(key);
    if (shape === undefined) {
      const { instanceType, zone, capacityType, labels, allocatable, priceMicroUsdPerHour, interruptionProbability } = machine;
      const index = this.#freeShapes.pop() ?? this.#shapes.length;
      const parts = { index, key, instanceType, zone, capacityType, labels, allocatable, priceMicroUsdPerHour, interruptionProbability };
      shape = { ...parts, class: this.#enterClass(parts), members: 0 };
      this.#shapes[index] = shape;
      this.#shapeByKey.set(key, shape);
    }
    shape.members++;
    return shape;
  }

  leave(shape: Shape): void {
    if (--shape.members > 0) return;
    this.#shapes[shape.index] = undefined;
    this.#shapeByKey.delete(shape.key);
    this.#freeShapes.push(shape.index);
    this.#leaveClass(shape.class);
  }

  /**
   * Makes machines that differ in these labels distinguishable. Returns the shapes whose class is another now; empty if that
   * is no news. No new class gets the index of an old one: groups are found by it, and machines are still filed in the old ones.
   */
  distinguishBy(keys: readonly string[]): readonly Shape[] {
    const all = new Set([...this.#labelKeys, ...keys]);
    if (all.size === this.#labelKeys.length) return [];
    this.#labelKeys = [...all].sort(compareText);
    const moved: Shape[] = [];
    const left: MachineClass[] = [];
    for (const shape of this.#shapes) {
      if (shape === undefined) continue;
      const before = shape.class;
      left.push(before);
      shape.class = this.#enterClass(shape);
      if (shape.class !== before) moved.push(shape);
    }
    for (const cls of left) this.#leaveClass(cls);
    return moved;
  }

  #enterClass(shape: Omit<Shape, 'class' | 'members'>): MachineClass {
    // Not by assignment: a label may be called `__proto__`.
    const labels = Object.fromEntries(this.#labelKeys.flatMap((key): [string, string][] => {
      const value = Object.hasOwn(shape.labels, key) ? shape.labels[key] : undefined;
      return value === undefined ? [] : [[key, value]];
    }));
    const key = shapeKey({ ...shape, labels });
    let cls = this.#classByKey.get(key);
    if (cls === undefined) {
      const { instanceType, zone, capacityType, priceMicroUsdPerHour, interruptionProbability } = shape;
      const index = this.#freeClasses.pop() ?? this.#classes.length;
      cls = {
        index, key, instanceType, zone, capacityType, labels, priceMicroUsdPerHour, interruptionProbability,
        amounts: this.#dimensions.dense(shape.allocatable).map(Math.floor),
        usable: { idle: 0, speculative: 0, configured: 0 },
        shapes: 0,
      };
      this.#classes[index] = cls;
      this.#classByKey.set(key, cls);
      this.#note(index);
    }
    cls.shapes++;
    return cls;
  }

  /** Prices may move for months: only the latest changes are remembered one by one. */
  #note(index: number): void {
    this.#log.push(index);
    if (this.#log.length < 2 * MOST_NOTED) return;
    this.#log = this.#log.slice(MOST_NOTED);
    this.#forgotten += MOST_NOTED;
  }

  #leaveClass(cls: MachineClass): void {
    if (--cls.shapes > 0) return;
    this.#classes[cls.index] = undefined;
    this.#classByKey.delete(cls.key);
    this.#freeClasses.push(cls.index);
    this.#note(cls.index);
  }
}

const MOST_ALIKE = 32;

export const MOST_NOTED = 10_000;

type Described = Pick<EngineMachine, 'instanceType' | 'zone' | 'capacityType' | 'labels' | 'allocatable' | 'priceMicroUsdPerHour' | 'interruptionProbability'>;

function shapeKey(m: Described): string {
  const labels = Object.entries(m.labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([m.instanceType, m.zone, m.capacityType, m.priceMicroUsdPerHour, m.interruptionProbability, m.allocatable, labels]);
}
