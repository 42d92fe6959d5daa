import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadKubeConfig } from './kubeconfig.ts';

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'bigfleet-kubeconfig-'));
});

afterEach(() => {
  rmSync(dir, { recursive: true });
});

function write(name: string, text: string): string {
  const path = join(dir, name);
  writeFileSync(path, text);
  return path;
}

function config({ cluster = 'server: https://one:6443', user = 'token: secret', name = 'main' } = {}): string {
  return [
    'apiVersion: v1',
    'kind: Config',
    `current-context: ${name}`,
    `contexts: [{ name: ${name}, context: { cluster: ${name}, user: ${name}, namespace: apps } }]`,
    `clusters: [{ name: ${name}, cluster: { ${cluster} } }]`,
    `users: [{ name: ${name}, user: { ${user} } }]`,
  ].join('\n');
}

describe('where the configuration comes from', () => {
  test('the flag wins over KUBECONFIG, which wins over the cluster around us', () => {
    const flag = write('flag', config({ cluster: 'server: https://flag' }));
    const env = { KUBECONFIG: write('env', config({ cluster: 'server: https://env' })), KUBERNETES_SERVICE_HOST: '10.0.0.1' };
    expect(loadKubeConfig({ path: flag, env }).server).toBe('https://flag');
    expect(loadKubeConfig({ env }).server).toBe('https://env');
  });

  test('inside a cluster, the service account is used and its token read from the file', () => {
    const serviceAccountDir = join(dir, 'sa');
    mkdirSync(serviceAccountDir);
    for (const [name, text] of [['token', 't'], ['ca.crt', 'CA'], ['namespace', 'prod\n']] as const) writeFileSync(join(serviceAccountDir, name), text);
    const env = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '6443' };
    expect(loadKubeConfig({ env, serviceAccountDir })).toEqual({
      server: 'https://[fd00::1]:6443',
      ca: 'CA',
      isInCluster: true,
      tokenFile: join(serviceAccountDir, 'token'),
      namespace: 'prod',
    });
  });

  test('without a token in the Pod the error says what to set', () => {
    expect(() => loadKubeConfig({ env: { KUBERNETES_SERVICE_HOST: '10.0.0.1' }, serviceAccountDir: dir })).toThrow('automountServiceAccountToken');
  });

  test('the file in the home directory is the last resort', () => {
    expect(() => loadKubeConfig({ env: { HOME: dir } })).toThrow(/pass --kubeconfig, set KUBECONFIG/);
    mkdirSync(join(dir, '.kube'));
    writeFileSync(join(dir, '.kube', 'config'), config());
    expect(loadKubeConfig({ env: { HOME: dir } }).server).toBe('https://one:6443');
  });

  test('several files merge, the first that names an entry wins, absent files are skipped', () => {
    const users = write('users', 'users: [{ name: main, user: { token: from-first } }]');
    const rest = write('rest', config());
    const KUBECONFIG = [join(dir, 'absent'), users, rest].join(delimiter);
    expect(loadKubeConfig({ env: { KUBECONFIG } })).toMatchObject({ server: 'https://one:6443', token: 'from-first' });
  });
});

describe('what is in it', () => {
  test('certificates come as data or from files beside the kubeconfig', () => {
    write('ca.pem', 'CA FILE');
    const data = Buffer.from('CERT').toString('base64');
    const path = write(
      'config',
      config({
        cluster: 'server: https://one:6443/, certificate-authority: ca.pem, tls-server-name: api, insecure-skip-tls-verify: true',
        user: `client-certificate-data: ${data}, client-key-data: ${Buffer.from('KEY').toString('base64')}, tokenFile: tok`,
      }),
    );
    expect(loadKubeConfig({ path })).toEqual({
      server: 'https://one:6443',
      ca: 'CA FILE',
      tlsServerName: 'api',
      insecureSkipTlsVerify: true,
      clientCert: 'CERT',
      clientKey: 'KEY',
      tokenFile: join(dir, 'tok'),
      namespace: 'apps',
    });
  });

  test('another context can be asked for', () => {
    const path = write('config', `${config()}\n`.replace('current-context: main', 'current-context: other'));
    expect(() => loadKubeConfig({ path })).toThrow('no entry "other" under contexts');
    expect(loadKubeConfig({ path, context: 'main' }).token).toBe('secret');
  });
});

describe('errors name the entry and the fix', () => {
  test.each([
    ['exec', config({ user: 'exec: { command: aws }' }), /user "main": exec is not supported; use client-certificate/],
    ['auth-provider', config({ user: 'auth-provider: { name: gcp }' }), /user "main": auth-provider is not supported/],
    ['half a key pair', config({ user: 'client-certificate-data: eA==' }), /client-certificate and client-key go together/],
    ['no scheme', config({ cluster: 'server: one:6443' }), /cluster "main": server is "one:6443"; it must start with https/],
    ['a missing CA', config({ cluster: 'server: https://x, certificate-authority: nope.pem' }), /cannot read certificate-authority "nope.pem"/],
    ['no context', 'kind: Config', /current-context is empty/],
    ['broken YAML', 'a: [', /cannot read the kubeconfig/],
  ])('%s', (_name, text, message) => {
    expect(() => loadKubeConfig({ path: write('config', text) })).toThrow(message);
  });
});
