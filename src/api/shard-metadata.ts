/**
 * What a shard asks the provider to keep with a bound machine, to find its bearings after a restart (spec: engine 17).
 * Keys and formats are shared with other implementations; the provider returns them untouched.
 */
import { bucketForDollars, upperBoundDollars } from './penalty-bucket.ts';

export const ASSIGNED_PRIORITY = 'bigfleet.lucy.sh/assigned-priority';
export const ASSIGNED_INTERRUPTION_PENALTY = 'bigfleet.lucy.sh/assigned-interruption-penalty-dollars';
export const ASSIGNED_RECLAMATION_PENALTY = 'bigfleet.lucy.sh/assigned-reclamation-penalty-dollars';
export const ASSIGNED_NEED_FINGERPRINT = 'bigfleet.lucy.sh/assigned-need-fingerprint';
export const ASSIGNED_GROUP = 'bigfleet.lucy.sh/assigned-group';

export interface ShardMetadata {
  readonly priority: number;
  readonly interruptionBucket: number;
  readonly reclamationBucket: number;
  readonly needFingerprint: string;
  readonly group: string;
}

/** What could be read; a key that was absent or malformed is absent. `problems` names the malformed ones, for the log. */
export type DecodedShardMetadata = Partial<ShardMetadata> & { readonly problems: readonly string[] };

export function encodeShardMetadata(metadata: ShardMetadata): Map<string, string> {
  return new Map([
    [ASSIGNED_PRIORITY, String(metadata.priority)],
    [ASSIGNED_INTERRUPTION_PENALTY, dollarText(metadata.interruptionBucket)],
    [ASSIGNED_RECLAMATION_PENALTY, dollarText(metadata.reclamationBucket)],
    [ASSIGNED_NEED_FINGERPRINT, metadata.needFingerprint],
    [ASSIGNED_GROUP, metadata.group],
  ]);
}

/** Reads key by key; unknown keys are ignored. An unspecified penalty comes back as the bucket of $0, which costs the same. */
export function decodeShardMetadata(metadata: ReadonlyMap<string, string>): DecodedShardMetadata {
  const problems: string[] = [];
  const read = <T>(key: string, parse: (text: string) => T | undefined): T | undefined => {
    const text = metadata.get(key);
    if (text === undefined) return undefined;
    const value = parse(text);
    if (value === undefined) problems.push(`${key}: cannot read ${JSON.stringify(text.slice(0, 40))}`);
    return value;
  };
  const priority = read(ASSIGNED_PRIORITY, parseInt32);
  const interruptionBucket = read(ASSIGNED_INTERRUPTION_PENALTY, parseDollars);
  const reclamationBucket = read(ASSIGNED_RECLAMATION_PENALTY, parseDollars);
  const needFingerprint = metadata.get(ASSIGNED_NEED_FINGERPRINT);
  const group = metadata.get(ASSIGNED_GROUP);
  return {
    ...(priority !== undefined && { priority }),
    ...(interruptionBucket !== undefined && { interruptionBucket }),
    ...(reclamationBucket !== undefined && { reclamationBucket }),
    ...(needFingerprint !== undefined && { needFingerprint }),
    ...(group !== undefined && { group }),
    problems,
  };
}

/** Others read it as a floating-point number; infinity is spelt as they spell it. */
function dollarText(bucket: number): string {
  const dollars = upperBoundDollars(bucket);
  return dollars === Infinity ? '+Inf' : String(dollars);
}

/** Accepts exponent forms such as `8.388608e+06` and the spellings of infinity; negative amounts are malformed. */
function parseDollars(text: string): number | undefined {
  if (/^\+?inf(inity)?$/i.test(text)) return bucketForDollars(Infinity);
  if (!/^\+?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) return undefined;
  return bucketForDollars(Number(text));
}

function parseInt32(text: string): number | undefined {
  if (!/^[+-]?\d+$/.test(text)) return undefined;
  const value = Number(text);
  return value >= -(2 ** 31) && value < 2 ** 31 ? value : undefined;
}
