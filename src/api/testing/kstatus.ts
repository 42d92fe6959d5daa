import type { Condition } from '../types.ts';

export type Kstatus = 'Current' | 'InProgress' | 'Failed' | 'Terminating';

interface Judged {
  readonly metadata: { readonly generation?: number; readonly deletionTimestamp?: string };
  readonly status?: { readonly observedGeneration?: number; readonly conditions?: readonly Condition[] };
}

/**
 * What tools that wait for any kind of object (Flux, `kubectl` plugins, cli-utils) take an object of a custom kind for: deletion, then a
 * generation that was not seen yet, then the conditions Reconciling and Stalled, then Ready. Nothing of that: it is done.
 */
export function kstatusOf({ metadata, status }: Judged): Kstatus {
  if (metadata.deletionTimestamp) return 'Terminating';
  if (status?.observedGeneration !== undefined && status.observedGeneration !== metadata.generation) return 'InProgress';
  const found = (type: string): Condition['status'] | undefined => status?.conditions?.find((c) => c.type === type)?.status;
  if (found('Reconciling') === 'True') return 'InProgress';
  if (found('Stalled') === 'True') return 'Failed';
  return (found('Ready') ?? 'True') === 'True' ? 'Current' : 'InProgress';
}
