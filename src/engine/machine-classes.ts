/**
 * Machines that no Need can tell apart form a class: same type, zone, capacity type, price, probability, allocatable and
 * labels. Only labels that some Need asks about count, else a hostname label would make every machine its own class.
 */
import type { Dimensions } from './dimensions.ts';
import { compareText } from '../lib/compare-text.ts';
import type { CapacityType, EngineMachine } from './types.ts';

export interface MachineClass {
  readonly index: number;
  readonly instanceType: string;
  readonly zone: string;
  readonly capacityType: CapacityType;
  readonly labels: Readonly<Record<string, string>>;
  readonly priceMicroUsdPerHour: number;
  readonly interruptionProbability: number;
  /** Allocatable by dimension index. */
  readonly amounts: readonly number[];
  /** Machines that count for somebody or could, by state; what `matchingSupply` reports. */
  readonly usable: { idle: number; speculative: number; configured: number };
}

interface Entry {
  readonly key: string;
  readonly class: MachineClass;
  members: number;
}

export class MachineClasses {
  readonly #dimensions: Dimensions;
  readonly #byKey = new Map<string, Entry>();
  readonly #entries: (Entry | undefined)[] = [];
  readonly #free: number[] = [];
  #labelKeys: readonly string[] = [];
  #version = 0;

  constructor(dimensions: Dimensions) {
    this.#dimensions = dimensions;
  }

  /** Changes whenever a class appears or disappears: what was computed per class is then stale. */
  get version(): number {
    return this.#version;
  }

  /** Indices run from 0 to capacity − 1; some may be unused. */
  get capacity(): number {
    return this.#entries.length;
  }

  get labelKeys(): readonly string[] {
    return this.#labelKeys;
  }

  /** From now on classes differ by these labels as well. The caller re-enters every machine. */
  distinguishBy(keys: readonly string[]): void {
    this.#labelKeys = [...keys].sort(compareText);
  }

  at(index: number): MachineClass {
    const entry = this.#entries[index];
    if (entry === undefined) throw new Error(`machine class ${index} does not exist`);
    return entry.class;
  }

  *[Symbol.iterator](): Iterator<MachineClass> {
    for (const entry of this.#entries) if (entry !== undefined) yield entry.class;
  }

  enter(machine: EngineMachine): MachineClass {
    const labels: Record<string, string> = {};
    for (const key of this.#labelKeys) {
      if (!Object.hasOwn(machine.labels, key)) continue;
      const value = machine.labels[key];
      if (value !== undefined) labels[key] = value;
    }
    const { instanceType, zone, capacityType, priceMicroUsdPerHour, interruptionProbability, allocatable } = machine;
    const key = JSON.stringify([instanceType, zone, capacityType, priceMicroUsdPerHour, interruptionProbability, allocatable, labels]);
    const known = this.#byKey.get(key);
    if (known !== undefined) {
      known.members++;
      return known.class;
    }
    const index = this.#free.pop() ?? this.#entries.length;
    const made: MachineClass = {
      index, instanceType, zone, capacityType, labels, priceMicroUsdPerHour, interruptionProbability,
      amounts: this.#dimensions.dense(allocatable),
      usable: { idle: 0, speculative: 0, configured: 0 },
    };
    const entry: Entry = { key, class: made, members: 1 };
    this.#byKey.set(key, entry);
    this.#entries[index] = entry;
    this.#version++;
    return made;
  }

  leave(index: number): void {
    const entry = this.#entries[index];
    if (entry === undefined || --entry.members > 0) return;
    this.#byKey.delete(entry.key);
    this.#entries[index] = undefined;
    this.#free.push(index);
    this.#version++;
  }
}
