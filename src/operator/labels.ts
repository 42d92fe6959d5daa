/** Names on objects that this side reads or writes, beside those in api/constants.ts. */
export {
  BOOTSTRAP_TOKEN_ANNOTATION, CORDONED_ANNOTATION, DO_NOT_DISRUPT_ANNOTATION, DRAIN_DEADLINE_ANNOTATION, DRAIN_INSTRUCTION_ANNOTATION, INSTANCE_TYPE_LABEL, INTERRUPTION_PENALTY_ANNOTATION,
  MACHINE_ID_LABEL, MIRROR_POD_ANNOTATION, OWNED_BY_POD_LABEL, POD_DELETION_COST_ANNOTATION, RECLAMATION_PENALTY_ANNOTATION,
} from '../api/constants.ts';

/** What another autoscaler taught users to write; it means the same here. */
export const KARPENTER_DO_NOT_DISRUPT_ANNOTATION = 'karpenter.sh/do-not-disrupt';
