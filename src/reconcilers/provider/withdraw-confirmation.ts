import { CONFIRM_REMOVAL_ANNOTATION } from '../../api/constants.ts';
import { CapacityProviderResource } from '../../api/resources.ts';
import { isApiError } from '../../runtime/client/api-error.ts';
import type { KubeClient, Log, ObjectRef } from '../../runtime/types.ts';

const PATH = `/metadata/annotations/${CONFIRM_REMOVAL_ANNOTATION.replaceAll('/', '~1')}`;

/** Takes a person's word off the CapacityProvider, unless another one is there by now. Never rejects: it is tried again while it is there. */
export async function withdrawConfirmation(client: KubeClient, provider: ObjectRef, word: string, log: Log, signal: AbortSignal): Promise<void> {
  const patch = [{ op: 'test', path: PATH, value: word }, { op: 'remove', path: PATH }];
  try {
    await client.patch(CapacityProviderResource, provider, patch, { kind: 'json', signal });
  } catch (error) {
    if (signal.aborted || (isApiError(error) && (error.status === 404 || error.status === 422))) return; // gone, or another word
    log.warn(
      { provider: provider.name, error: error instanceof Error ? error.message : String(error) },
      `the annotation ${CONFIRM_REMOVAL_ANNOTATION} has served and could not be removed: remove it, or after a restart it confirms the loss of the same machines again`,
    );
  }
}
