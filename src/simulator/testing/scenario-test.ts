import { it } from 'vitest';

const TIMEOUT_MS = 600_000;

/** A test of one scenario; it may run long where the machine is slow or SCALE is large. */
export function scenario(name: string, body: () => void): void {
  it(name, body, TIMEOUT_MS);
}

/** What should hold and does not: red as soon as it does, so that it becomes a scenario. */
export function knownGap(name: string, body: () => void): void {
  it.fails(`${name} (known gap)`, body, TIMEOUT_MS);
}
