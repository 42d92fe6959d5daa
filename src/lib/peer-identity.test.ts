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
    [[], 'missing', /no name/],
    [['spiffe://mesh/ns/a'], 'missing', /no name/],
    [['bigfleet://shard/s-0', 'bigfleet://shard/s-1'], 'several', /more than one/],
    [['bigfleet://admin', 'bigfleet://nonsense'], 'several', /more than one/],
    [['bigfleet://admin', 'BIGFLEET://readonly'], 'several', /more than one/],
    [['bigfleet://shard/'], 'malformed', /none of/],
    [['bigfleet://shard/a/b'], 'malformed', /none of/],
    [['bigfleet://shard/a%2Fb'], 'malformed', /none of/],
    [['bigfleet://shard/s-0?x'], 'malformed', /none of/],
    [['bigfleet://admin/'], 'malformed', /none of/],
    [['bigfleet://root'], 'malformed', /none of/],
    [['BigFleet://admin'], 'malformed', /none of/],
    [['bigfleet://admin\n'], 'malformed', /none of/],
  ])('%j is none: %s', (uris, problem, text) => {
    expect(identityOf(...uris)).toEqual({ role: 'none', problem });
    expect(describeIdentity(identityOf(...uris))).toMatch(text);
  });

  it('a name cannot smuggle in another one', () => {
    const nobody = { role: 'none', problem: 'missing' };
    expect(identityOf('https://x/, URI:bigfleet://admin')).toEqual(nobody);
    expect(identityOf('https://x/", URI:bigfleet://admin')).toEqual(nobody);
    expect(identityOf('https://x/", URI:"bigfleet://admin', 'bigfleet://readonly')).toEqual({ role: 'readonly' });
  });
});
