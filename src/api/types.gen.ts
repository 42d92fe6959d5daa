// Generated from config/crd/bases by hack/generate.ts. DO NOT EDIT.
import type { ObjectMeta } from '../runtime/types.ts';
import type { Condition, IntOrString, LabelSelector, ObjectReference } from './core.ts';

/**
 * An AvailableCapacity tells the cluster how much more capacity of a kind it could still get, and at what price. It is a hint, not a reservation.
 */
export interface AvailableCapacity {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
  spec: AvailableCapacitySpec;
  status?: AvailableCapacityStatus;
}
/**
 * The capacity on offer.
 */
export interface AvailableCapacitySpec {
  /**
   * The demand that this offer answers.
   */
  requirements?: AvailableCapacityRequirement[];
  /**
   * What one machine offers, by resource name.
   */
  resources: {
    [k: string]: IntOrString;
  };
  /**
   * How much of it there is, roughly.
   */
  availability: 'None' | 'Low' | 'Medium' | 'High';
  /**
   * Number of machines.
   */
  availableCount: number;
  /**
   * Price of one machine in USD per hour.
   */
  cost: IntOrString;
}
export interface AvailableCapacityRequirement {
  /**
   * Label key of the machine.
   */
  key: string;
  /**
   * How the label is compared with values. In, NotIn, Exists and DoesNotExist are understood.
   */
  operator: string;
  /**
   * Values for In and NotIn; empty for the others.
   */
  values?: string[];
}
/**
 * Whether the operator keeps it up to date.
 */
export interface AvailableCapacityStatus {
  /**
   * Ready.
   */
  conditions?: Condition[];
}

/**
 * A CapacityRequest asks for room for one Pod (or one unit of another workload) in this cluster. The cluster operator adds all of them up and reports the sums; nothing is scheduled onto a request.
 */
export interface CapacityRequest {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
  spec: CapacityRequestSpec;
  status?: CapacityRequestStatus;
}
/**
 * What is wanted.
 */
export interface CapacityRequestSpec {
  /**
   * What the machine's labels must satisfy. All of them hold together.
   */
  requirements?: CapacityRequestRequirement[];
  /**
   * Effective request of the one Pod, by resource name.
   */
  resources: {
    [k: string]: IntOrString;
  };
  /**
   * Higher values are served first and may preempt lower ones.
   */
  priority: number;
  /**
   * Dollars lost when the machine disappears without notice (a spot interruption). Absent is not the same as "0": absent means undeclared.
   */
  interruptionPenalty?: IntOrString;
  /**
   * Dollars lost when BigFleet takes the machine back in an orderly way. Absent is not the same as "0".
   */
  reclamationPenalty?: IntOrString;
  /**
   * Spread of this workload over topology domains.
   */
  topologySpread?: CapacityRequestTopologySpread[];
  coLocation?: CapacityRequestCoLocation;
}
export interface CapacityRequestRequirement {
  /**
   * Label key of the machine.
   */
  key: string;
  /**
   * How the label is compared with values. In, NotIn, Exists and DoesNotExist are understood.
   */
  operator: string;
  /**
   * Values for In and NotIn; empty for the others.
   */
  values?: string[];
}
export interface CapacityRequestTopologySpread {
  /**
   * Label key whose values are the domains.
   */
  topologyKey: string;
  /**
   * Largest allowed difference between domains, at least 1.
   */
  maxSkew: number;
  /**
   * DoNotSchedule or ScheduleAnyway.
   */
  whenUnsatisfiable: string;
}
/**
 * Keeps the members of a gang in one topology domain (from required Pod affinity).
 */
export interface CapacityRequestCoLocation {
  /**
   * Label key whose values are the domains.
   */
  topologyKey: string;
  /**
   * Selects the Pods to be near to.
   */
  labelSelector?: LabelSelector;
}
/**
 * What has become of the request.
 */
export interface CapacityRequestStatus {
  /**
   * The metadata.generation that the status was computed from.
   */
  observedGeneration?: number;
  /**
   * Acknowledged once the request was part of a report that was queued to the shard. It says nothing about satisfaction; the condition Satisfied does.
   */
  phase: 'Pending' | 'Acknowledged';
  /**
   * When phase became Acknowledged.
   */
  acknowledgedAt?: string;
  /**
   * Ready, Stalled, Accepted, Satisfied and Fits.
   */
  conditions?: Condition[];
}

/**
 * An UpcomingNode announces a machine that is on its way to become a Node of this cluster.
 */
export interface UpcomingNode {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
  spec: UpcomingNodeSpec;
  status?: UpcomingNodeStatus;
}
/**
 * What the Node will look like.
 */
export interface UpcomingNodeSpec {
  /**
   * Labels the Node will carry.
   */
  labels?: {
    [k: string]: string;
  };
  /**
   * What the Node will offer to Pods, by resource name; may be empty.
   */
  resources: {
    [k: string]: IntOrString;
  };
  /**
   * Taints the Node will carry.
   */
  taints?: UpcomingNodeTaint[];
}
export interface UpcomingNodeTaint {
  key: string;
  effect: string;
  value?: string;
  timeAdded?: string;
}
/**
 * How far the machine has come.
 */
export interface UpcomingNodeStatus {
  /**
   * The metadata.generation that the status was computed from.
   */
  observedGeneration?: number;
  phase: 'Provisioning' | 'Launched' | 'Registered' | 'Ready' | 'Draining' | 'Drained' | 'Failed';
  /**
   * The Node once it has registered; only kind and name are set.
   */
  nodeRef?: ObjectReference;
  /**
   * Id of the machine at its provider, as in Node.spec.providerID.
   */
  providerID?: string;
  /**
   * When the machine was first heard of; never changes.
   */
  provisioningStartTime?: string;
  /**
   * What the provider said last when something failed.
   */
  lastError?: string;
  /**
   * Ready, Stalled, Draining and Failed.
   */
  conditions?: Condition[];
}

/**
 * A CapacityProvider is a service that creates, configures, drains and deletes machines for one shard.
 */
export interface CapacityProvider {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
  spec: CapacityProviderSpec;
  status?: CapacityProviderStatus;
}
/**
 * Where the provider is and how it is called.
 */
export interface CapacityProviderSpec {
  /**
   * Where the provider listens, as host:port.
   */
  address: string;
  /**
   * Name of the Shard that owns the provider's machines.
   */
  shardRef: string;
  tls?: CapacityProviderTls;
  /**
   * Time between two looks at what has changed.
   */
  pollSeconds?: number;
  /**
   * Time between two complete Lists.
   */
  fullListSeconds?: number;
  deadlines?: CapacityProviderDeadlines;
  transitionDeadlines?: CapacityProviderTransitionDeadlines;
}
/**
 * Transport security; absent is plain text.
 */
export interface CapacityProviderTls {
  /**
   * Secret in the same namespace with tls.crt, tls.key and ca.crt.
   */
  secretName: string;
}
/**
 * How long one call may take.
 */
export interface CapacityProviderDeadlines {
  createSeconds?: number;
  configureSeconds?: number;
  drainSeconds?: number;
  deleteSeconds?: number;
  getSeconds?: number;
  listSeconds?: number;
}
/**
 * How long a machine may stay in a state of transition before it counts as stuck.
 */
export interface CapacityProviderTransitionDeadlines {
  creatingSeconds?: number;
  configuringSeconds?: number;
  /**
   * Absent is the grace of the drain plus 300 seconds.
   */
  drainingSeconds?: number;
  deletingSeconds?: number;
}
/**
 * What the shard last saw of the provider.
 */
export interface CapacityProviderStatus {
  /**
   * The metadata.generation that the status was computed from; -1 until a shard has seen the object.
   */
  observedGeneration?: number;
  /**
   * Machines that the provider could create, counted by kind.
   */
  offers?: CapacityProviderOffer[];
  /**
   * Number of machines by state.
   */
  machines?: {
    [k: string]: number;
  };
  /**
   * When the provider last answered a List.
   */
  lastListTime?: string;
  /**
   * When the provider last answered a complete List.
   */
  lastFullListTime?: string;
  /**
   * Machines of the last List that were refused as invalid.
   */
  rejected?: number;
  /**
   * Ready, Reconciling, Stalled, Reachable, InventoryTrusted and what else there is to say.
   */
  conditions?: Condition[];
}
export interface CapacityProviderOffer {
  instanceType: string;
  zone: string;
  /**
   * BareMetal, Reserved, OnDemand or Spot.
   */
  capacityType: string;
  available: number;
  priceMicroUsdPerHour?: CapacityProviderPriceMicroUsdPerHour;
}
/**
 * Range of prices, in millionths of a US dollar per hour.
 */
export interface CapacityProviderPriceMicroUsdPerHour {
  min?: number;
  max?: number;
}

/**
 * A Machine shows one machine of the fleet and records what was decided about it. Deleting the object does nothing to the machine; the object comes back while the provider lists it.
 */
export interface Machine {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
  spec: MachineSpec;
  status?: MachineStatus;
}
/**
 * What was decided. A part that is absent means that nothing was decided about it.
 */
export interface MachineSpec {
  /**
   * Id of the machine at its provider, for life.
   */
  machineId: string;
  /**
   * Name of the CapacityProvider.
   */
  providerRef: string;
  /**
   * Name of the Shard that owns the machine. Only a transfer between shards changes it.
   */
  shardRef: string;
  binding?: MachineBinding;
  unbind?: MachineUnbind;
  release?: MachineRelease;
  /**
   * Set by a person. The machine is chosen for nothing and taken from no one.
   */
  hold?: boolean;
}
/**
 * The cluster the machine is to serve.
 */
export interface MachineBinding {
  clusterId: string;
  /**
   * Fingerprint of the need it was chosen for.
   */
  needFingerprint?: string;
  /**
   * Gang of that need, empty if none; an asterisk for gangs that share machines.
   */
  group?: string;
  priority?: number;
  /**
   * Ordinal of the bucket, as in the wire protocol.
   */
  interruptionPenaltyBucket?: number;
  /**
   * Ordinal of the bucket, as in the wire protocol.
   */
  reclamationPenaltyBucket?: number;
  /**
   * Why it was chosen.
   */
  reason?: string;
  decidedAt?: string;
}
/**
 * The machine is to be drained and to become Idle. Only this drains a machine.
 */
export interface MachineUnbind {
  /**
   * Why it is taken away.
   */
  reason?: string;
  /**
   * Time that Pods get to leave.
   */
  graceSeconds?: number;
  /**
   * Priority of the demand it is taken for; absent unless preempted.
   */
  preemptorPriority?: number;
  decidedAt?: string;
}
/**
 * The machine is to be given back to the provider. Only this deletes a machine.
 */
export interface MachineRelease {
  /**
   * Why it is given back.
   */
  reason?: string;
}
/**
 * What the provider last said, and what is being done.
 */
export interface MachineStatus {
  /**
   * The metadata.generation that the status was computed from.
   */
  observedGeneration?: number;
  /**
   * State of the machine at its provider.
   */
  phase?: 'Speculative' | 'Creating' | 'Idle' | 'Configuring' | 'Configured' | 'Draining' | 'Deleting' | 'Failed';
  /**
   * The cluster the machine serves now.
   */
  clusterId?: string;
  host?: MachineHost;
  instanceType?: string;
  zone?: string;
  /**
   * BareMetal, Reserved, OnDemand or Spot.
   */
  capacityType?: string;
  /**
   * Price in millionths of a US dollar per hour.
   */
  priceMicroUsdPerHour?: number;
  /**
   * priceMicroUsdPerHour in US dollars, for the $/h column.
   */
  dollarsPerHour?: string;
  /**
   * Chance of an interruption within an hour, as the provider declares it.
   */
  interruptionProbability?: number;
  /**
   * What the machine offers to Pods, by resource name.
   */
  resources?: {
    [k: string]: IntOrString;
  };
  /**
   * What the provider says of the machine beyond type and zone, as the Node will carry it.
   */
  labels?: {
    [k: string]: string;
  };
  /**
   * Why the machine is where it is, one CamelCase word for programs.
   */
  reason?: string;
  /**
   * The same for people, in a sentence.
   */
  message?: string;
  operation?: MachineOperation;
  /**
   * When the machine entered its phase.
   */
  since?: string;
  /**
   * Ready, Progressing, Stuck, Stalled and Disrupting.
   */
  conditions?: Condition[];
}
/**
 * The host behind the machine once it exists.
 */
export interface MachineHost {
  provider?: string;
  ref?: string;
}
/**
 * What is being done now.
 */
export interface MachineOperation {
  kind?: 'Create' | 'Configure' | 'Drain' | 'Delete';
  /**
   * The provider's id of the operation.
   */
  operationId?: string;
  /**
   * Fencing sequence of the last call.
   */
  sequence?: number;
  startedAt?: string;
  attempts?: number;
  lastError?: string;
  nextAttemptAt?: string;
}

/**
 * A Shard owns a disjoint slice of the fleet's machines and decides which cluster each of them serves. Its name is the shard's id.
 */
export interface Shard {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
  spec: ShardSpec;
  status?: ShardStatus;
}
/**
 * How the shard is to behave. Every field may be changed while it runs.
 */
export interface ShardSpec {
  /**
   * Active decides and acts. DryRun decides and records without acting. Paused lets no action happen; plans and status go on.
   */
  mode?: 'Active' | 'DryRun' | 'Paused';
  /**
   * Longest time between two planning cycles; reports of clusters start one earlier.
   */
  cycleSeconds?: number;
  rails?: ShardRails;
  holds?: ShardHolds;
  limits?: ShardLimits;
  /**
   * Calls in flight to one provider.
   */
  concurrencyPerProvider?: number;
  /**
   * Which machines are kept as Machine objects. NonSpeculative is every machine that exists; Exceptional only those under way, failed, stuck, on hold or made by hand. Large shards switch to Exceptional by themselves.
   */
  machineObjects?: 'NonSpeculative' | 'Exceptional';
}
/**
 * Limits on how much may be taken away, and how fast.
 */
export interface ShardRails {
  /**
   * Share of a cluster's bound machines that one cycle may reclaim, a decimal from 0 to 1, at least one machine. "0" turns the cap off.
   */
  reclaimCapFraction?: string;
  /**
   * Per cluster; 0 is no limit.
   */
  maxReclaimsPerMinute?: number;
  maxConcurrentDrainsPerCluster?: number;
  /**
   * Whether a report that has suddenly lost most of its demand is held back until it is repeated.
   */
  emptyRollupGuard?: boolean;
}
/**
 * How long to wait before giving machines up. Bare metal and reserved machines are never released.
 */
export interface ShardHolds {
  /**
   * How long an idle on-demand machine is kept before it is released.
   */
  onDemandSeconds?: number;
  /**
   * How long an idle spot machine is kept before it is released.
   */
  spotSeconds?: number;
  /**
   * How long a machine with Pods must be left over without a break before it is reclaimed.
   */
  occupiedExcessSeconds?: number;
}
/**
 * A safety rail on acquisitions; absent is no limit.
 */
export interface ShardLimits {
  /**
   * Most machines that may be held, offered slots not counted.
   */
  machines?: number;
  /**
   * Most that all machines held may cost, in millionths of a US dollar per hour.
   */
  microUsdPerHour?: number;
}
/**
 * What the shard last reported.
 */
export interface ShardStatus {
  /**
   * The metadata.generation that the status was computed from; -1 until a shard has seen the object.
   */
  observedGeneration?: number;
  /**
   * Fencing epoch of the holder.
   */
  epoch?: number;
  /**
   * Identity of the process that runs the shard.
   */
  holder?: string;
  /**
   * Number of the last finished cycle.
   */
  cycle?: number;
  /**
   * When that cycle ended.
   */
  lastCycleTime?: string;
  /**
   * Number of machines by state.
   */
  machines?: {
    [k: string]: number;
  };
  /**
   * Sum over machines, for the Machines column.
   */
  totalMachines?: number;
  /**
   * Machines bound to a cluster, for the Bound column.
   */
  boundMachines?: number;
  needs?: ShardNeeds;
  /**
   * Clusters that are connected.
   */
  sessions?: number;
  /**
   * Unmet needs, highest priority first.
   */
  shortfalls?: ShardShortfall[];
  /**
   * What all machines held cost, in millionths of a US dollar per hour.
   */
  microUsdPerHour?: number;
  /**
   * microUsdPerHour in US dollars with two decimals, for the $/h column.
   */
  dollarsPerHour?: string;
  /**
   * Actions of the last plan that were withheld because of spec.mode.
   */
  pausedActions?: number;
  /**
   * Ready, Reconciling, Stalled, Fenced, LeaseProven and SupplyTrusted.
   */
  conditions?: Condition[];
}
/**
 * Rows of demand of all clusters.
 */
export interface ShardNeeds {
  rows?: number;
  satisfied?: number;
  unmet?: number;
}
export interface ShardShortfall {
  clusterId: string;
  requirements?: ShardRequirement[];
  priority: number;
  /**
   * What is missing, by resource name.
   */
  deficit?: {
    [k: string]: IntOrString;
  };
  /**
   * Why it is missing, one word for programs.
   */
  reason: string;
  /**
   * The same for people.
   */
  message?: string;
  sinceTime?: string;
}
export interface ShardRequirement {
  /**
   * Label key of the machine.
   */
  key: string;
  /**
   * How the label is compared with values. In, NotIn, Exists and DoesNotExist are understood.
   */
  operator: string;
  /**
   * Values for In and NotIn; empty for the others.
   */
  values?: string[];
}
