import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { SecretResource } from '../../api/resources.ts';
import type { ServerTlsFiles } from '../../api/tls-listener.ts';
import type { CapacityProvider } from '../../api/types.ts';
import { sleep } from '../../lib/clock.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Tls } from '../../provider/list-protocol.ts';
import type { KubeClient, KubeObject, Log, Runnable } from '../../runtime/types.ts';

/** Certificates change about once in a month; whoever edits the CapacityProvider does not wait so long. */
const REFRESH_MS = 30_000;
const TIMEOUT_MS = 5_000;

/** Why a provider must not be called as its object stands, as a condition says it. */
export interface CallObstacle {
  readonly reason: string;
  readonly message: string;
}

/** Base64. */
type Data = Readonly<Record<string, string>>;

interface Secret extends KubeObject {
  readonly data?: Data;
}

interface Material {
  /** Undefined: of the process's own files. */
  readonly secretName: string | undefined;
  /** Equal if and only if nothing has changed. */
  readonly text: string;
  readonly tls: Tls;
}

export interface ProviderTlsOptions {
  readonly client: Pick<KubeClient, 'get'>;
  readonly namespace: string;
  readonly provider: () => Pick<CapacityProvider, 'spec'>;
  /** Those of the process, for a provider whose object names none: with them every way that it goes is one with TLS (spec: identity 6). */
  readonly files?: ServerTlsFiles;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * What CapacityProvider.spec.tls names, read from its Secret now and then, or else the process's own files: a client certificate with its key, and the
 * authority that the provider's certificate must come from. Until it was read nothing is sent; what was read once serves on
 * while the Secret cannot be read, or makes no sense (spec: control-crds, CapacityProvider).
 */
export class ProviderTls implements Runnable {
  readonly name = 'provider-tls';
  private readonly options: ProviderTlsOptions;
  private material: Material | undefined;
  private trouble = '';
  private wake = (): void => undefined;

  constructor(options: ProviderTlsOptions) {
    this.options = options;
  }

  /** For the channel to the provider; undefined = plain text, or an obstacle. The same object as long as nothing has changed. */
  current(): Tls | undefined {
    const { secretName } = this.options.provider().spec.tls ?? {};
    return this.material && this.material.secretName === secretName ? this.material.tls : undefined;
  }

  obstacle(): CallObstacle | undefined {
    const { tls, address } = this.options.provider().spec;
    if (!this.isWanted() || this.current()) return undefined;
    const why = this.trouble === '' ? 'it has not been read yet' : this.trouble;
    const what = tls ? `spec.tls names Secret ${tls.secretName}` : 'the certificates of the shard serve for it';
    return { reason: 'TLSNotReady', message: `${what}: ${why}. Nothing is sent to ${address} before that.` };
  }

  /** The CapacityProvider may have changed. */
  look(): void {
    if (this.isWanted() && !this.current()) this.wake();
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const woken = new AbortController();
      const wake = (): void => woken.abort();
      this.wake = wake;
      signal.addEventListener('abort', wake, { once: true });
      await this.refresh(signal);
      await sleep(this.options.clock, REFRESH_MS, woken.signal).catch(() => undefined);
      signal.removeEventListener('abort', wake);
    }
  }

  private isWanted(): boolean {
    return this.options.provider().spec.tls !== undefined || this.options.files !== undefined;
  }

  private async refresh(signal: AbortSignal): Promise<void> {
    const { provider, log } = this.options;
    if (!this.isWanted()) return;
    const secretName = provider().spec.tls?.secretName;
    const before = this.trouble;
    try {
      const next = materialOf(secretName, secretName === undefined ? this.ownFiles() : await this.secretData(secretName, signal));
      if (next.text !== this.material?.text || next.secretName !== this.material.secretName) {
        log.info({ secret: secretName }, secretName === undefined ? 'the provider is called with the certificates of the shard from now on' : 'the provider is called with the certificates of this Secret from now on');
        this.material = next;
      }
      this.trouble = '';
    } catch (error) {
      if (signal.aborted) return;
      this.trouble = error instanceof Error ? error.message : String(error);
      if (this.trouble !== before) log.warn({ secret: secretName, error: this.trouble, inUse: this.current() !== undefined }, 'the certificates for the way to the provider cannot be used');
    }
  }

  private async secretData(name: string, signal: AbortSignal): Promise<Data> {
    const { client, namespace } = this.options;
    const secret = await client.get<Secret>(SecretResource, { namespace, name }, { signal, timeoutMs: TIMEOUT_MS });
    if (!secret) throw new Error(`there is none of that name in namespace ${namespace}`);
    return secret.data ?? {};
  }

  /** As a Secret would have them. */
  private ownFiles(): Data {
    const { cert, key, ca } = this.options.files as ServerTlsFiles;
    return { 'tls.crt': readFileSync(cert, 'base64'), 'tls.key': readFileSync(key, 'base64'), 'ca.crt': readFileSync(ca, 'base64') };
  }
}

/** Throws what is wrong with it, naming the entry. */
function materialOf(secretName: string | undefined, data: Data): Material {
  const entry = (name: string): Buffer | undefined => (data[name] === undefined || data[name] === '' ? undefined : Buffer.from(data[name], 'base64'));
  const [certificate, key, ca] = [entry('tls.crt'), entry('tls.key'), entry('ca.crt')];
  if (!ca) throw new Error('it has no ca.crt, the authority that the certificate of the provider must come from');
  if (!certificate !== !key) throw new Error(`it has ${certificate ? 'tls.crt and no tls.key' : 'tls.key and no tls.crt'}: both, or neither where the provider asks for no certificate`);
  try {
    new X509Certificate(ca); // a context takes any text for an authority
    createSecureContext({ ca, ...(certificate && key && { cert: certificate, key }) });
  } catch (error) {
    throw new Error(`its tls.crt, tls.key or ca.crt is not PEM, or the key is another one's: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
  return { secretName, text: JSON.stringify([data['tls.crt'], data['tls.key'], data['ca.crt']]), tls: { ca, ...(certificate && key && { certificate, key }) } };
}
