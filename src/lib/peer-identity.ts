import { X509Certificate } from 'node:crypto';

/** Who a peer's certificate says it is. */
export type PeerIdentity =
  | { readonly role: 'cluster' | 'shard'; readonly id: string }
  | { readonly role: 'admin' | 'readonly' };

/** A certificate that says who its holder is not at all, more than once, or in no form that we know. */
export interface Unidentified {
  readonly role: 'none';
  readonly problem: 'missing' | 'several' | 'malformed';
}

/** Why a caller whose connection is in order may not do what it asks for. */
export type IdentityRefusal = `identity_${Unidentified['problem'] | 'mismatch'}`;

export function refusalOf(identity: PeerIdentity | Unidentified): IdentityRefusal {
  return identity.role === 'none' ? `identity_${identity.problem}` : 'identity_mismatch';
}

const SCHEME = /^bigfleet:/i;
const IDENTITY = /^bigfleet:\/\/(?:(cluster|shard)\/([A-Za-z0-9._-]+)|(admin|readonly))$/;
/** One name as Node prints it: a type, then text without commas, or a JSON string where there is anything special in it. */
const NAME = /([A-Za-z][A-Za-z0-9 ]*):("(?:[^"\\]|\\.)*"|[^",]*)(, |$)/y;

/**
 * The identity in a certificate that has been verified: exactly one URI name with the scheme bigfleet (spec: identity 6).
 * Names of other schemes do not matter.
 */
export function peerIdentity(certificate: X509Certificate): PeerIdentity | Unidentified {
  const uris = urisOf(certificate.subjectAltName ?? '')?.filter((uri) => SCHEME.test(uri)) ?? [];
  const [uri] = uris;
  if (uri === undefined) return { role: 'none', problem: 'missing' };
  if (uris.length > 1) return { role: 'none', problem: 'several' };
  const match = IDENTITY.exec(uri);
  if (!match) return { role: 'none', problem: 'malformed' };
  const [, owner, id, role] = match;
  return role === undefined ? { role: owner as 'cluster' | 'shard', id: id ?? '' } : { role: role as 'admin' | 'readonly' };
}

/** The identity of the certificate with these bytes (DER), as `getPeerCertificate().raw` gives them. */
export function identityOfDer(raw: Uint8Array): PeerIdentity | Unidentified {
  return peerIdentity(new X509Certificate(raw));
}

const PROBLEMS = {
  missing: 'no name of the form bigfleet://…',
  several: 'more than one name of the form bigfleet://…',
  malformed: 'a name of the scheme bigfleet that is none of bigfleet://cluster/<id>, shard/<id>, admin and readonly',
};

export function describeIdentity(identity: PeerIdentity | Unidentified): string {
  if (identity.role === 'none') return PROBLEMS[identity.problem];
  return 'id' in identity ? `bigfleet://${identity.role}/${identity.id}` : `bigfleet://${identity.role}`;
}

/** All URIs among the names; undefined for a text that cannot be taken apart for certain. */
function urisOf(names: string): string[] | undefined {
  const uris: string[] = [];
  NAME.lastIndex = 0;
  while (NAME.lastIndex < names.length) {
    const match = NAME.exec(names);
    if (!match) return undefined;
    const [, type, value = ''] = match;
    if (type === 'URI') uris.push(value.startsWith('"') ? (JSON.parse(value) as string) : value);
  }
  return uris;
}
