import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What a control plane and its clients prove themselves with. Thrown away with the folder it lies in. */
export interface Credentials {
  /** Token of a user in the group system:masters. */
  readonly token: string;
  /** File the API server learns the token from. */
  readonly tokenFile: string;
  /** RSA key that signs and verifies tokens of service accounts. */
  readonly serviceAccountKey: string;
  /** Folder in which the API server writes a serving certificate of its own. */
  readonly certDir: string;
  /** The certificate clients trust; written by the API server while it starts. */
  readonly servingCertificate: string;
}

export function createCredentials(dir: string): Credentials {
  const token = randomBytes(24).toString('hex');
  const tokenFile = join(dir, 'tokens.csv');
  writeFileSync(tokenFile, `${token},admin,admin,system:masters\n`, { mode: 0o600 });

  const serviceAccountKey = join(dir, 'service-accounts.key');
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  writeFileSync(serviceAccountKey, privateKey.export({ type: 'pkcs1', format: 'pem' }), { mode: 0o600 });

  const certDir = join(dir, 'certs');
  return { token, tokenFile, serviceAccountKey, certDir, servingCertificate: join(certDir, 'apiserver.crt') };
}

/** The trusted certificate, or undefined before the API server has written it. */
export function readServingCertificate({ servingCertificate }: Credentials): string | undefined {
  if (!existsSync(servingCertificate)) return undefined;
  const pem = readFileSync(servingCertificate, 'utf8');
  return pem.trimEnd().endsWith('-----END CERTIFICATE-----') ? pem : undefined;
}

/** Writes a kubeconfig of whoever has the token. JSON is YAML, so any client reads it. */
export function writeKubeconfig(path: string, { name, url, ca, token }: { name: string; url: string; ca: string; token: string }): void {
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server: url, 'certificate-authority-data': Buffer.from(ca).toString('base64') } }],
    users: [{ name: 'admin', user: { token } }],
    contexts: [{ name, context: { cluster: name, user: 'admin' } }],
    'current-context': name,
  };
  writeFileSync(path, `${JSON.stringify(config, undefined, 2)}\n`, { mode: 0o600 });
}
