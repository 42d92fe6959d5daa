/** The provider kit: write a ProviderBackend, hand it to serveProvider. README.md shows one in 40 lines. */
export type * from './backend.ts';
export { BackendError, InvalidError, OutOfStockError, QuotaError, ThrottledError, type FailureClass, type ThrottledOptions } from './backend-error.ts';
export type * from './events.ts';
export type { CapacityType, HostRef, Instance, Machine, MachineState, StringMap } from './machine.ts';
export { openFileStore, type FileStoreOptions } from './file-store.ts';
export { memoryStore, type StateStore } from './state-store.ts';
export { defaultTimeouts, type Timeouts } from './operation-runner.ts';
export { serveProvider, type ProviderOptions, type RunningProvider } from './serve-provider.ts';
export { checkInstance, type InstanceProblem } from './instance-check.ts';
export type { StateChange } from './state-store.ts';
export type { ServerTlsFiles } from '../../api/tls-listener.ts';
