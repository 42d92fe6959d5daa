import { INSTANCE_TYPE_LABEL, MACHINE_ID_LABEL, ZONE_LABEL } from '../../api/constants.ts';
import { labelValue } from '../../api/names.ts';
import type { Hook, HookKind } from './hook.ts';
import type { StaticMachine } from './inventory.ts';

/** What a hook may need to know of the operation it is run for. */
export interface HookFacts {
  readonly operationId?: string;
  readonly clusterId?: string;
  readonly graceSeconds?: bigint;
  readonly lastError?: string;
}

/** The environment of a hook: that of the provider, the machine's variables, and the facts as BIGFLEET_…; documented in docs/providers/static.md. */
export function hookEnvironment(kind: HookKind, hook: Hook, machine: StaticMachine, facts: HookFacts, attempt: number): NodeJS.ProcessEnv {
  const { instance, host, address, group, variables } = machine;
  return {
    ...process.env,
    ...variables,
    BIGFLEET_HOOK: kind,
    BIGFLEET_MACHINE_ID: instance.id,
    BIGFLEET_ADDRESS: address,
    BIGFLEET_GROUP: group,
    BIGFLEET_PROVIDER_ID: host.ref,
    BIGFLEET_INSTANCE_TYPE: instance.instanceType,
    BIGFLEET_ZONE: instance.zone,
    BIGFLEET_CAPACITY_TYPE: instance.capacityType,
    BIGFLEET_NODE_LABELS: nodeLabels(machine),
    BIGFLEET_CLUSTER: facts.clusterId ?? '',
    BIGFLEET_OPERATION_ID: facts.operationId ?? '',
    BIGFLEET_ATTEMPT: String(attempt),
    BIGFLEET_TIMEOUT_SECONDS: String(Math.ceil(hook.timeoutMs / 1_000)),
    BIGFLEET_GRACE_SECONDS: String(facts.graceSeconds ?? 0n),
    BIGFLEET_LAST_ERROR: (facts.lastError ?? '').replaceAll('\0', ' '),
  };
}

/** As the kubelet's --node-labels wants them. The first is how BigFleet recognises the Node. */
function nodeLabels({ instance }: StaticMachine): string {
  const identity = {
    [MACHINE_ID_LABEL]: labelValue(instance.id),
    [INSTANCE_TYPE_LABEL]: instance.instanceType,
    [ZONE_LABEL]: instance.zone,
  };
  // The identity twice: first, and not to be replaced.
  return Object.entries({ ...identity, ...instance.labels, ...identity }).map(([name, value]) => `${name}=${value}`).join(',');
}
