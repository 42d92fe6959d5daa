import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import type { ServerTlsFiles } from '../../api/tls-listener.ts';
import type { CapacityProvider } from '../../api/types.ts';
import { testAuthority } from '../../lib/testing/certificates.ts';
import { VirtualClock } from '../../lib/virtual-clock.ts';
import { silentLog } from '../../runtime/types.ts';
import { ProviderTls } from './tls.ts';

const authority = testAuthority();
const [one, two] = [authority.issue(), authority.issue()];
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const whole = { 'tls.crt': base64(one.cert), 'tls.key': base64(one.key), 'ca.crt': base64(authority.cert) };

let clock: VirtualClock;
let secretName: string | undefined;
let files: ServerTlsFiles | undefined;
let secrets: Record<string, Record<string, string> | Error>;
let tls: ProviderTls;
let warnings: number;

beforeEach(async () => {
  clock = new VirtualClock();
  [secretName, secrets, warnings] = ['keys', {}, 0];
  files = undefined;
  tls = made();
});

function made(): ProviderTls {
  return new ProviderTls({
    ...(files && { files }),
    namespace: 'fleet', clock, log: { ...silentLog, warn: () => void warnings++ },
    provider: () => ({ spec: { address: 'metal:1', shardRef: 's', ...(secretName !== undefined && { tls: { secretName } }) } }) as Pick<CapacityProvider, 'spec'>,
    client: {
      get: (_type, { name }) => {
        const data = secrets[name];
        return data instanceof Error ? Promise.reject(data) : Promise.resolve((data && { metadata: { name }, data }) as never);
      },
    },
  });
}

/** Runs until the test is over. */
async function started(): Promise<void> {
  void tls.run(new AbortController().signal);
  await clock.advance(0);
}

describe('the certificates for a provider', () => {
  it('are those of the Secret, the same object as long as nothing has changed, and new ones are taken over', async () => {
    secrets['keys'] = whole;
    await started();
    const first = tls.current();
    expect([Buffer.from(first!.certificate!).toString(), tls.obstacle()]).toEqual([one.cert, undefined]);
    await clock.advance(120_000);
    expect(tls.current()).toBe(first);
    secrets['keys'] = { ...whole, 'tls.crt': base64(two.cert), 'tls.key': base64(two.key) };
    await clock.advance(30_000);
    expect(Buffer.from(tls.current()!.certificate!).toString()).toBe(two.cert);
  });

  it.each<[string, Record<string, string> | Error | undefined, RegExp]>([
    ['no Secret', undefined, /there is none of that name in namespace fleet/],
    ['one that cannot be read', new Error('403 Forbidden'), /403 Forbidden/],
    ['one without an authority', { 'tls.crt': whole['tls.crt'], 'tls.key': whole['tls.key'] }, /no ca\.crt/],
    ['one without a key', { 'tls.crt': whole['tls.crt'], 'ca.crt': whole['ca.crt'] }, /tls\.crt and no tls\.key/],
    ['one with another one’s key', { ...whole, 'tls.key': base64(two.key) }, /key is another one's/],
    ['one that is no PEM', { ...whole, 'tls.crt': base64('hello') }, /not PEM/],
    ['one whose authority is none', { ...whole, 'ca.crt': base64('hello') }, /not PEM/],
  ])('%s: nothing is sent, and it is said why, once in the log', async (_name, data, words) => {
    if (data) secrets['keys'] = data;
    await started();
    await clock.advance(90_000);
    expect(tls.current()).toBeUndefined();
    expect(tls.obstacle()).toEqual({ reason: 'TLSNotReady', message: expect.stringMatching(words) as string });
    expect(tls.obstacle()?.message).toMatch(/^spec\.tls names Secret keys: .*Nothing is sent to metal:1 before that\.$/);
    expect(warnings).toBe(1);
    secrets['keys'] = whole;
    await clock.advance(30_000);
    expect([tls.current() !== undefined, tls.obstacle()]).toEqual([true, undefined]);
  });

  it('serve on while the Secret is away or makes no sense', async () => {
    secrets['keys'] = whole;
    await started();
    const first = tls.current();
    for (const broken of [new Error('gone'), { 'ca.crt': 'x' }]) {
      secrets['keys'] = broken;
      await clock.advance(60_000);
      expect([tls.current(), tls.obstacle()]).toEqual([first, undefined]);
    }
  });

  it('are not those of another Secret, not even for a moment; whoever names another one does not wait for the next look', async () => {
    secrets = { keys: whole, others: { 'ca.crt': whole['ca.crt'] } };
    await started();
    secretName = 'others';
    expect([tls.current(), tls.obstacle()?.message]).toEqual([undefined, expect.stringContaining('Secret others: it has not been read yet') as string]);
    tls.look();
    await clock.advance(0);
    expect(tls.current()).toEqual({ ca: Buffer.from(authority.cert) });
  });

  it('are the files of the process where the object names none, looked at again, and those of the Secret where it does', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'provider-tls-'));
    const file = (name: string, text: string): string => {
      writeFileSync(join(directory, name), text);
      return join(directory, name);
    };
    secretName = undefined;
    files = { cert: file('crt', one.cert), key: file('key', two.key), ca: file('ca', authority.cert) };
    tls = made();
    await started();
    expect([tls.current(), tls.obstacle()?.message]).toEqual([undefined, expect.stringContaining('the certificates of the shard serve for it') as string]);
    file('key', one.key);
    await clock.advance(30_000);
    expect([Buffer.from(tls.current()!.certificate!).toString(), tls.obstacle()]).toEqual([one.cert, undefined]);
    [secretName, secrets] = ['keys', { keys: { ...whole, 'tls.crt': base64(two.cert), 'tls.key': base64(two.key) } }];
    expect(tls.current()).toBeUndefined();
    tls.look();
    await clock.advance(0);
    expect(Buffer.from(tls.current()!.certificate!).toString()).toBe(two.cert);
    rmSync(directory, { recursive: true });
  });

  it('are none where none are asked for', async () => {
    secretName = undefined;
    await started();
    expect([tls.current(), tls.obstacle()]).toEqual([undefined, undefined]);
  });
});
