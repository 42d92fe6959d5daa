import type { Machine } from '../../api/gen/bigfleet/v1alpha1/provider.ts';
import { Violation } from './expectation.ts';
import { mapText, quoted } from './wire-text.ts';

export function sameMetadata(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);
}

/** Throws a Violation that names the first key that was dropped, invented or changed. */
export function hasMetadata(machine: Machine, sent: ReadonlyMap<string, string>): void {
  const got = machine.shardMetadata;
  if (sameMetadata(sent, got)) return;
  throw new Violation(`the shard_metadata of ${machine.id} as it was sent, ${mapText(sent)}`, `${difference(sent, got)}, in ${mapText(got)}`);
}

function difference(sent: ReadonlyMap<string, string>, got: ReadonlyMap<string, string>): string {
  for (const [key, value] of sent) {
    const other = got.get(key);
    if (other === undefined) return `without key ${quoted(key)}`;
    if (other !== value) return `key ${quoted(key)} with ${quoted(other)} instead of ${quoted(value)}`;
  }
  return `with ${quoted([...got.keys()].find((key) => !sent.has(key)) ?? '')}, which nobody sent`;
}
