/** Names on objects that the operator and the pod controller read or write. They are API: never rename one. */
export const OWNED_BY_POD_LABEL = 'bigfleet.lucy.sh/owned-by-pod';
export const MACHINE_ID = 'bigfleet.lucy.sh/machine-id'; // a label on Nodes, an annotation on UpcomingNodes
export const INTERRUPTION_PENALTY_ANNOTATION = 'bigfleet.lucy.sh/interruption-penalty';
export const RECLAMATION_PENALTY_ANNOTATION = 'bigfleet.lucy.sh/reclamation-penalty';
export const DRAIN_INSTRUCTION_ANNOTATION = 'bigfleet.lucy.sh/drain-instruction-id';
export const DRAIN_DEADLINE_ANNOTATION = 'bigfleet.lucy.sh/drain-deadline';
export const DO_NOT_DISRUPT_ANNOTATION = 'bigfleet.lucy.sh/do-not-disrupt';
export const SHARD_EPOCHS_ANNOTATION = 'bigfleet.lucy.sh/shard-epochs';

/** What other autoscalers taught users to write; it means the same here. */
export const KARPENTER_DO_NOT_DISRUPT_ANNOTATION = 'karpenter.sh/do-not-disrupt';
export const MIRROR_POD_ANNOTATION = 'kubernetes.io/config.mirror';
export const POD_DELETION_COST_ANNOTATION = 'controller.kubernetes.io/pod-deletion-cost';
export const INSTANCE_TYPE_LABEL = 'node.kubernetes.io/instance-type';
