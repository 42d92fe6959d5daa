/** Everything that can go wrong, with how often per occasion while it is switched on; what has no occasion of its own is thought of every 20 s. */
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
  'provider crash before actuation': 0.09,
  'provider crash after actuation': 0.09,
  'provider crash before reply': 0.08,
  // RPCs between shard and provider.
  'rpc request lost': 0.08,
  'rpc reply lost': 0.08,
  'rpc duplicated': 0.15,
  'rpc slow': 0.08,
  'rpc late': 0.06,
  'rpc failing': 0.1,
  'attempt held back': 0.06,
  'list shrunk': 0.6,
  // The API server.
  'api error': 0.08,
  'api reply lost': 0.06,
  'api slow': 0.05,
  'api away': 0.3,
  'watch cut': 0.5,
  'watch expired': 0.4,
  'lease taken': 0.25,
  'lease deleted': 0.25,
  // Processes stand still, stop in order, lose their disk.
  'shard killed': 0.2,
  'provider killed': 0.3,
  'shard paused': 0.4,
  'shard suspended': 0.4,
  'shard paused at a call': 0.04,
  'provider paused': 0.3,
  'provider unreachable': 0.25,
  'provider mute': 0.25,
  'shard stopped': 0.3,
  'shard disk lost': 0.25,
  // Clusters.
  'operator reconnects': 0.5,
  'operator away': 0.3,
  'operator slow to report': 0.3,
  'operator refuses a blob': 0.3,
  'operator is late with a blob': 0.2,
  'demand changed': 0.9,
  'demand emptied': 0.3,
  // Machines.
  'machine slow': 0.15,
  'machine fails': 0.15,
  'machine lost': 0.5,
  'provider disk full': 0.1,
  'audit disk full': 0.5,
  'provider disk slow': 0.15,
  // People.
  'mode changed': 0.25,
  'machines held': 0.6,
} as const satisfies Record<string, number>;

export type FaultKind = keyof typeof FAULT_KINDS;
export const KINDS = Object.keys(FAULT_KINDS) as FaultKind[];
