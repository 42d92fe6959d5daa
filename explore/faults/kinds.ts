/** Everything that can go wrong, with how often per occasion while it is switched on. */
export const FAULT_KINDS = {
  // Processes end. Occasions: every write, every RPC, every API write; before it, or right after.
  'shard crash before persist': 0.07,
  'shard crash after persist': 0.07,
  'shard crash before rpc': 0.02,
  'shard crash after rpc': 0.02,
  'shard crash before api write': 0.015,
  'shard crash after api write': 0.015,
  'provider crash before persist': 0.03,
  'provider crash after persist': 0.03,
  'provider crash before actuation': 0.05,
  'provider crash after actuation': 0.05,
  'provider crash before reply': 0.015,
  // RPCs between shard and provider.
  'rpc request lost': 0.08,
  'rpc reply lost': 0.08,
  'rpc duplicated': 0.15,
  'rpc slow': 0.08,
  'rpc failing': 0.1,
  'list shrunk': 0.2,
} as const satisfies Record<string, number>;

export type FaultKind = keyof typeof FAULT_KINDS;
export const KINDS = Object.keys(FAULT_KINDS) as FaultKind[];
