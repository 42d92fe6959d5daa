/** Names that leave the process: groups, labels, annotations, finalizers, condition types and reasons. */
export const GROUP = 'bigfleet.lucy.sh';
export const CONTROL_GROUP = 'control.bigfleet.lucy.sh';
export const VERSION = 'v1alpha1';
export const SYSTEM_NAMESPACE = 'bigfleet-system';

/** Labels that every Node carries and requirements may name. */
export const INSTANCE_TYPE_LABEL = 'node.kubernetes.io/instance-type';
export const ZONE_LABEL = 'topology.kubernetes.io/zone';
export const HOSTNAME_LABEL = 'kubernetes.io/hostname';

/** On a Node: the machine it runs on. */
export const MACHINE_ID_LABEL = `${GROUP}/machine-id`;
/** On a CapacityRequest: the uid of the Pod it was made for. */
export const OWNED_BY_POD_LABEL = `${GROUP}/owned-by-pod`;

/** On a Pod, dollars as a quantity; they win over the defaults of its PriorityClass. */
export const INTERRUPTION_PENALTY_ANNOTATION = `${GROUP}/interruption-penalty`;
export const RECLAMATION_PENALTY_ANNOTATION = `${GROUP}/reclamation-penalty`;
/** On a Pod or a Node, "true": the machine under it is neither reclaimed nor preempted. */
export const DO_NOT_DISRUPT_ANNOTATION = `${GROUP}/do-not-disrupt`;
/** On an UpcomingNode, so that a drain survives the process that began it. */
export const DRAIN_INSTRUCTION_ANNOTATION = `${GROUP}/drain-instruction-id`;
/** At an UpcomingNode: the id, not the secret, of the bootstrap token that its machine joins with. */
export const BOOTSTRAP_TOKEN_ANNOTATION = `${GROUP}/bootstrap-token-id`;
export const DRAIN_DEADLINE_ANNOTATION = `${GROUP}/drain-deadline`;
/** On a Node that BigFleet cordoned, with the instruction that asked for it: only such a cordon is taken back. */
export const CORDONED_ANNOTATION = `${GROUP}/cordoned-for`;
/** On the operator's Lease: the highest epoch seen of each shard, as a JSON object (D17). */
export const SHARD_EPOCHS_ANNOTATION = `${GROUP}/shard-epochs`;
/** On the operator's Lease: the id of this cluster and what Pods are demand by, as a JSON object. */
export const OPERATOR_NOTE_ANNOTATION = `${GROUP}/operator`;
/** ConfigMap of the operator that keeps the allowances of D3. */
export const ALLOWANCES_CONFIG_MAP = 'bigfleet-allowances';

/** Of Kubernetes itself, on Pods. */
export const POD_DELETION_COST_ANNOTATION = 'controller.kubernetes.io/pod-deletion-cost';
export const MIRROR_POD_ANNOTATION = 'kubernetes.io/config.mirror';

/** On Machine objects; values are made by `labelValue`, because ids may hold what a label may not. */
export const MACHINE_LABELS = {
  shard: `${CONTROL_GROUP}/shard`,
  provider: `${CONTROL_GROUP}/provider`,
  state: `${CONTROL_GROUP}/state`,
  cluster: `${CONTROL_GROUP}/cluster`,
  instanceType: `${CONTROL_GROUP}/instance-type`,
  zone: `${CONTROL_GROUP}/zone`,
  capacityType: `${CONTROL_GROUP}/capacity-type`,
} as const;
/** Keeps a Machine object until its shard has seen the deletion. */
export const MACHINE_FINALIZER = `${CONTROL_GROUP}/machine`;
/** "true" on a Machine that is being deleted: a person wants the machine itself gone. */
export const RELEASE_ANNOTATION = `${CONTROL_GROUP}/release`;

/** On a CapacityProvider, the token of a quarantine: a person knows that the machines which the List lacks are gone. The shard removes it again. */
export const CONFIRM_REMOVAL_ANNOTATION = `${CONTROL_GROUP}/confirm-removal`;

/** "true" on a Machine that a person made by hand: it stays an object whatever the machine does (D22). */
export const ASKED_FOR_ANNOTATION = `${CONTROL_GROUP}/asked-for`;

/** Metadata of provider calls (D16), Unix milliseconds in the provider's clock. */
export const NOT_AFTER_METADATA = 'bigfleet-not-after';
export const NOW_METADATA = 'bigfleet-now';

export const PROTOCOL_VERSION = 'v1alpha1';

/** Condition types by kind; `True` is the good state except where noted. */
export const CapacityRequestCondition = {
  /** What Satisfied, Accepted and Fits come to, for whoever waits for any kind of object. */
  Ready: 'Ready',
  /** True is bad: nothing comes of it until somebody changes it. */
  Stalled: 'Stalled',
  /** The request can be expressed and was reported. */
  Accepted: 'Accepted',
  /** The shard has, or is getting, the machines for it. */
  Satisfied: 'Satisfied',
  /** The Pod fits on what was bound for it. */
  Fits: 'Fits',
} as const;

export const ShardCondition = {
  Ready: 'Ready',
  /** True while it is on its way to Ready; acting on the fleet is no such way. */
  Reconciling: 'Reconciling',
  /** True is bad: no progress without help. */
  Stalled: 'Stalled',
  /** True is bad: a provider has seen a newer epoch than ours. */
  Fenced: 'Fenced',
  LeaseProven: 'LeaseProven',
  SupplyTrusted: 'SupplyTrusted',
} as const;

export const CapacityProviderCondition = { Ready: 'Ready', Reconciling: 'Reconciling', Stalled: 'Stalled', Reachable: 'Reachable', InventoryTrusted: 'InventoryTrusted' } as const;

export const MachineCondition = {
  Ready: 'Ready',
  Progressing: 'Progressing',
  /** True is bad: past the deadline of its transition. */
  Stuck: 'Stuck',
  /** True is bad: failed, or past the deadline. */
  Stalled: 'Stalled',
  /** True while its Pods are being moved away. */
  Disrupting: 'Disrupting',
} as const;

export const UpcomingNodeCondition = { Ready: 'Ready', Stalled: 'Stalled', Draining: 'Draining', Failed: 'Failed' } as const;

/** Reasons of conditions that programs may match on. */
export const Reason = {
  Accepted: 'Accepted',
  InvalidRequirement: 'InvalidRequirement',
  InvalidQuantity: 'InvalidQuantity',
  InvalidSpread: 'InvalidSpread',
  /** Satisfied=True: the Pod has a Node. */
  Bound: 'Bound',
  CapacityAssigned: 'CapacityAssigned',
  /** Fits=False: capacity was bought and the scheduler still finds no place (D3). */
  UnschedulableDespiteCapacity: 'UnschedulableDespiteCapacity',
} as const;
