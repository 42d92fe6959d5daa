import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { describeIdentity, peerIdentity } from './peer-identity.ts';
import { testAuthority } from './testing/certificates.ts';

const authority = testAuthority();
const identityOf = (...uris: string[]): ReturnType<typeof peerIdentity> => peerIdentity(new X509Certificate(authority.issue(...uris).cert));

describe('the identity of a peer', () => {
  it.each([
    ['bigfleet://shard/s-0', { role: 'shard', id: 's-0' }],
    ['bigfleet://cluster/a.b_C-1', { role: 'cluster', id: 'a.b_C-1' }],
    ['bigfleet://admin', { role: 'admin' }],
    ['bigfleet://readonly', { role: 'readonly' }],
  ])('%s', (uri, identity) => {
    expect(identityOf(uri)).toEqual(identity);
    expect(describeIdentity(identityOf(uri))).toBe(uri);
    expect(identityOf('spiffe://mesh/ns/a', uri, 'https://x')).toEqual(identity);
  });

  it.each([
    [[]],
    [['spiffe://mesh/ns/a']],
    [['bigfleet://shard/s-0', 'bigfleet://shard/s-1']],
    [['bigfleet://admin', 'bigfleet://nonsense']],
    [['bigfleet://admin', 'BIGFLEET://readonly']],
    [['bigfleet://shard/']],
    [['bigfleet://shard/a/b']],
    [['bigfleet://shard/a%2Fb']],
    [['bigfleet://shard/s-0?x']],
    [['bigfleet://admin/']],
    [['bigfleet://root']],
    [['BigFleet://admin']],
    [['bigfleet://admin\n']],
  ])('%j is none', (uris) => {
    expect(identityOf(...uris)).toBeUndefined();
    expect(describeIdentity(undefined)).toMatch(/no single name/);
  });

  it('a name cannot smuggle in another one', () => {
    expect(identityOf('https://x/, URI:bigfleet://admin')).toBeUndefined();
    expect(identityOf('https://x/", URI:bigfleet://admin')).toBeUndefined();
    expect(identityOf('https://x/", URI:"bigfleet://admin', 'bigfleet://readonly')).toEqual({ role: 'readonly' });
  });
});
