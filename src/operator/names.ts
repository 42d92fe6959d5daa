/** Names of the processes in a cluster: of their Leases, field managers and, where they are installed, ServiceAccounts. */
export const OPERATOR_NAME = 'bigfleet-operator';
export const POD_CONTROLLER_NAME = 'bigfleet-unschedulable-pod-controller';
