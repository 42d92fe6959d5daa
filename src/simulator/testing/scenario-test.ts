import { it } from 'vitest';

const TIMEOUT_MS = 600_000;

/** A test of one scenario; it may run long where the machine is slow or SCALE is large. */
export function scenario(name: string, body: () => void): void {
  it(name, body, TIMEOUT_MS);
}
