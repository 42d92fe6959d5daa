import { generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';

const OID_ECDSA_SHA256 = '06082a8648ce3d040302';
const OID_COMMON_NAME = '0603550403';
const OID_SUBJECT_ALT_NAME = '0603551d11';
const OID_BASIC_CONSTRAINTS = '0603551d13';

/** PEM. */
export interface KeyAndCertificate {
  readonly key: string;
  readonly cert: string;
}

export interface TestAuthority extends KeyAndCertificate {
  /** A certificate for 127.0.0.1 with these URIs as further names, signed by this authority. */
  issue(...uris: readonly string[]): KeyAndCertificate;
  /** The same, good until a day long ago. */
  issueExpired(...uris: readonly string[]): KeyAndCertificate;
}

/** A fresh certificate authority, so that no private key has to lie in the repository. Its own certificate is good for 127.0.0.1, too. */
export function testAuthority(name = 'loopback'): TestAuthority {
  const keys = keyPair();
  const loopbackName = der(0x30, der(0x87, Buffer.from([127, 0, 0, 1])));
  const isAuthority = der(0x30, hex(OID_BASIC_CONSTRAINTS), der(0x04, der(0x30, hex('0101ff'))));
  const own = certificate({ subject: name, issuer: name, publicKey: keys.publicKey, signer: keys.privateKey, extensions: [alternativeNames(loopbackName), isAuthority] });
  const issue = (uris: readonly string[], until?: string): KeyAndCertificate => {
    const leaf = keyPair();
    const names = der(0x30, der(0x87, Buffer.from([127, 0, 0, 1])), ...uris.map((uri) => der(0x86, Buffer.from(uri, 'latin1'))));
    const toSign = { subject: `leaf of ${name}`, issuer: name, publicKey: leaf.publicKey, signer: keys.privateKey, extensions: [alternativeNames(names)] };
    return { key: pem(leaf.privateKey), cert: certificate(until === undefined ? toSign : { ...toSign, until }) };
  };
  return {
    key: pem(keys.privateKey),
    cert: own,
    issue: (...uris) => issue(uris),
    issueExpired: (...uris) => issue(uris, '20210101000000Z'),
  };
}

interface ToSign {
  readonly subject: string;
  readonly issuer: string;
  readonly publicKey: KeyObject;
  readonly signer: KeyObject;
  readonly extensions: readonly Buffer[];
  /** As ASN.1 writes a GeneralizedTime. */
  readonly until?: string;
}

function certificate({ subject, issuer, publicKey, signer, extensions, until = '21200101000000Z' }: ToSign): string {
  const algorithm = der(0x30, hex(OID_ECDSA_SHA256));
  const validity = der(0x30, der(0x18, Buffer.from('20200101000000Z')), der(0x18, Buffer.from(until)));
  const body = der(
    0x30,
    der(0xa0, hex('020102')), // version 3
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])), // serial number
    algorithm,
    commonName(issuer),
    validity,
    commonName(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, der(0x30, ...extensions)),
  );
  const signature = der(0x03, Buffer.from([0]), sign('sha256', body, signer));
  const text = der(0x30, body, algorithm, signature).toString('base64').match(/.{1,64}/g)?.join('\n');
  return `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`;
}

function commonName(name: string): Buffer {
  return der(0x30, der(0x31, der(0x30, hex(OID_COMMON_NAME), der(0x0c, Buffer.from(name)))));
}

function alternativeNames(names: Buffer): Buffer {
  return der(0x30, hex(OID_SUBJECT_ALT_NAME), der(0x04, names));
}

function keyPair(): { readonly publicKey: KeyObject; readonly privateKey: KeyObject } {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

function pem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }) as string;
}

/** One DER element: tag, length, content. */
function der(tag: number, ...content: readonly Buffer[]): Buffer {
  const body = Buffer.concat(content);
  const length = body.length < 0x80 ? [body.length] : body.length < 0x100 ? [0x81, body.length] : [0x82, body.length >> 8, body.length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
}

function hex(text: string): Buffer {
  return Buffer.from(text, 'hex');
}
