import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ApiError } from '../runtime/client/api-error.ts';
import type { KubeClient } from '../runtime/types.ts';
import { silentLog } from '../runtime/types.ts';
import { claimEpoch } from './claim-epoch.ts';
import { realDisk } from './disk.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'claim-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

/** A Shard object that somebody else changes `rivals` times right before our write. */
function claim(object: { epoch: number; version: number }, rivals: number): Promise<bigint> {
  let left = rivals;
  const client = {
    get: () => Promise.resolve({ metadata: { name: 's', resourceVersion: String(object.version) }, spec: {}, status: { epoch: object.epoch } }),
    patch: (_type: unknown, _ref: unknown, body: { metadata: { resourceVersion: string }; status: { epoch: number } }) => {
      if (left-- > 0) object = Object.assign(object, { epoch: object.epoch + 10, version: object.version + 1 });
      if (body.metadata.resourceVersion !== String(object.version)) return Promise.reject(new ApiError('patch', 409, { reason: 'Conflict' }));
      Object.assign(object, { epoch: body.status.epoch, version: object.version + 1 });
      return Promise.resolve({});
    },
  } as unknown as KubeClient;
  return claimEpoch({ client, namespace: 'n', shardId: 's', dataDir: dir, transitions: 0, holder: 'me', lastSeen: undefined, disk: realDisk, log: silentLog, signal: new AbortController().signal });
}

it('does not publish over the claim of another process, but goes above it', async () => {
  const object = { epoch: 4, version: 1 };
  expect(await claim(object, 1)).toBe(15n);
  expect(object.epoch).toBe(15);
});

it('gives up publishing, and not its epoch, when the object changes all the time', async () => {
  const object = { epoch: 4, version: 1 };
  expect(await claim(object, Infinity)).toBe(25n);
  expect(object.epoch).toBe(34);
});
