/**
 * The unit class of a demand row (D2): a coarse size of its largest replica. Replicas of one profile whose classes differ
 * become separate rows, so that a small Pod never asks for machines that only a large one needs. Operator and shard compute
 * it with this same function, from integers only.
 */
import { compareText } from '../lib/compare-text.ts';
import { isByteDimension } from './quantity.ts';

/** Canonical text, such as `nvidia.com/gpu=8,cpu=7,memory=8`: equal classes are equal strings. '' is the empty unit. */
export type UnitClass = string;

const MIB = 1_048_576;
/** No amount is of a larger size. */
const MOST = 2 ** 53;

/**
 * `minUnit` in base units (spec: engine 1.6): bytes for memory-like dimensions, milli for everything else; no dimension
 * twice. Dimensions that are zero or negative count as absent.
 */
export function unitClass(minUnit: Iterable<readonly [dimension: string, amount: number]>): UnitClass {
  const others: (readonly [string, number])[] = [];
  let cpu = 0;
  let memory = 0;
  for (const [dimension, amount] of minUnit) {
    if (amount <= 0) continue;
    if (dimension === 'cpu') cpu = quarterSteps(amount);
    else if (dimension === 'memory') memory = quarterSteps(Math.ceil(amount / MIB));
    else others.push([dimension, powerOfTwo(isByteDimension(dimension) ? amount : Math.ceil(amount / 1000))]);
  }
  others.sort((a, b) => compareText(a[0], b[0]));
  const parts = others.map(([dimension, size]) => `${escape(dimension)}=${String(size)}`);
  if (cpu) parts.push(`cpu=${String(cpu)}`);
  if (memory) parts.push(`memory=${String(memory)}`);
  return parts.join(',');
}

/** Whether it is the class of some unit. */
export function isUnitClass(text: string): boolean {
  const sizes = [...parse(text)];
  return sizes.every(([, size]) => size <= MOST) && unitClass(sizes.map(([dimension, size]) => [dimension, amountOf(dimension, size)])) === text;
}

/** That of some unit of this size. */
function amountOf(dimension: string, size: number): number {
  if (dimension === 'cpu') return 4 ** (size - 1);
  if (dimension === 'memory') return 4 ** (size - 1) * MIB;
  return isByteDimension(dimension) ? size : size * 1000;
}

/**
 * Larger classes first: dimensions other than cpu and memory by name, then cpu, then memory; an absent one is smallest.
 * The order in which rows that are otherwise equal choose machines.
 */
export function compareUnitClassDescending(a: UnitClass, b: UnitClass): number {
  if (a === b) return 0;
  const x = parse(a);
  const y = parse(b);
  for (const dimension of dimensionsInOrder(x, y)) {
    const difference = (y.get(dimension) ?? 0) - (x.get(dimension) ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** 1 + the smallest k with 4^k ≥ value. */
function quarterSteps(value: number): number {
  let steps = 1;
  for (let bound = 1; bound < value; bound *= 4) steps++;
  return steps;
}

function powerOfTwo(value: number): number {
  let power = 1;
  while (power < value) power *= 2;
  return power;
}

function dimensionsInOrder(x: ReadonlyMap<string, number>, y: ReadonlyMap<string, number>): string[] {
  const all = new Set([...x.keys(), ...y.keys()]);
  all.delete('cpu');
  all.delete('memory');
  return [...[...all].sort(compareText), 'cpu', 'memory'];
}

function parse(text: UnitClass): Map<string, number> {
  const sizes = new Map<string, number>();
  if (text === '') return sizes;
  for (const part of text.split(',')) {
    const at = part.lastIndexOf('=');
    sizes.set(unescape(part.slice(0, at)), Number(part.slice(at + 1)));
  }
  return sizes;
}

// Dimension names come off the wire: a separator inside one must not make two classes equal.
function escape(name: string): string {
  return name.replace(/[%,=]/g, (c) => `%${c.charCodeAt(0).toString(16)}`);
}

function unescape(name: string): string {
  return name.replace(/%(25|2c|3d)/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
}
