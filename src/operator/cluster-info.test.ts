import { describe, expect, it } from 'vitest';
import { testAuthority } from '../lib/testing/certificates.ts';
import { clusterInfo } from './cluster-info.ts';

const ca = `-----BEGIN CERTIFICATE-----
MIIBgjCCASegAwIBAgIUbi3NktlmrnmdCcZ7QEoSyUP0dqswCgYIKoZIzj0EAwIw
FTETMBEGA1UEAwwKa3ViZXJuZXRlczAgFw0yNjExMjEyMzI2MThaGA8yMTI2MTAy
ODIzMjYxOFowFTETMBEGA1UEAwwKa3ViZXJuZXRlczBZMBMGByqGSM49AgEGCCqG
SM49AwEHA0IABFtmp01q3SligLaqos8HUfdCCCOe8SpBn7vt7yQsiAv6CJMVojHg
AQNhufCCvFE4emkkY8rEKohY2+QUVroSLE6jUzBRMB0GA1UdDgQWBBQop+q3QisM
Ewe+rGSCT7pdR9164DAfBgNVHSMEGDAWgBQop+q3QisMEwe+rGSCT7pdR9164DAP
BgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0kAMEYCIQDIY57hFoK9yqC0KwaT
bwyEtnfdMAUHHGSQm+y3kf93JgIhAJofpF9xaqNICgLmBpgVaxGOIbM+TZVi5IXw
utay7HSM
-----END CERTIFICATE-----
`;
/** What openssl says of it: x509 -pubkey | pkey -pubin -outform der | sha256sum. */
const pin = 'sha256:d0cb2f7a6f0ba9774637cf62c429e27af1d9d564595926bdd2f0e456c427e620';

describe('what a joining machine is told of its cluster', () => {
  it.each([
    ['the operator\'s own way, outside the cluster', { server: 'https://10.0.0.10:6443', ca }, undefined, { APIServer: '10.0.0.10:6443', CACertHash: pin }],
    ['a port, also where none is written', { server: 'https://api.example' }, undefined, { APIServer: 'api.example:443' }],
    ['an address of the next version', { server: 'https://[fd00::1]:6443' }, undefined, { APIServer: '[fd00::1]:6443' }],
    ['not the address that Pods use', { server: 'https://10.96.0.1:443', ca, isInCluster: true as const }, undefined, { CACertHash: pin }],
    ['what it is told to say', { server: 'https://10.96.0.1:443', ca, isInCluster: true as const }, 'api.example:6443', { APIServer: 'api.example:6443', CACertHash: pin }],
    ['the first of a bundle', { server: 'https://a:1', ca: `${ca}${testAuthority().cert}` }, undefined, { APIServer: 'a:1', CACertHash: pin }],
  ])('%s', (_what, config, given, told) => expect(clusterInfo(config, given)).toEqual(told));

  it('a CA that is none is no reason to guess', () => {
    expect(() => clusterInfo({ server: 'https://a:1', ca: 'x' })).toThrow();
  });
});
