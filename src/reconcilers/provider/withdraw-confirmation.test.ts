import { expect, it } from 'vitest';
import { ApiError } from '../../runtime/client/api-error.ts';
import { silentLog } from '../../runtime/types.ts';
import type { KubeClient } from '../../runtime/types.ts';
import { withdrawConfirmation } from './withdraw-confirmation.ts';

/** What is asked of the API server, and what is complained about when it answers so. */
async function withdraw(answer?: Error, signal = new AbortController().signal): Promise<{ asked: unknown[]; complaints: string[] }> {
  const asked: unknown[] = [];
  const complaints: string[] = [];
  const client = {
    async patch(_type: unknown, ref: unknown, body: unknown, options: { kind: string }) {
      asked.push(ref, body, options.kind);
      if (answer) throw answer;
    },
  } as unknown as KubeClient;
  await withdrawConfirmation(client, { namespace: 'fleet', name: 'metal' }, '2-abc', { ...silentLog, warn: (_fields, message) => complaints.push(message) }, signal);
  return { asked, complaints };
}

it('removes the annotation only while it says the same', async () => {
  const path = '/metadata/annotations/control.bigfleet.lucy.sh~1confirm-removal';
  expect(await withdraw()).toEqual({
    asked: [{ namespace: 'fleet', name: 'metal' }, [{ op: 'test', path, value: '2-abc' }, { op: 'remove', path }], 'json'],
    complaints: [],
  });
});

it.each([[404, 0], [422, 0], [403, 1], [500, 1]])('survives the answer %i and complains so often about it: %i', async (status, times) => {
  const { complaints } = await withdraw(new ApiError('patch', status, {}));
  expect(complaints).toHaveLength(times);
  for (const complaint of complaints) expect(complaint).toContain('remove it');
});

it('does not complain when the shard is stopping', async () => {
  expect((await withdraw(new Error('aborted'), AbortSignal.abort())).complaints).toEqual([]);
});
