/** Why whoever dialled did not speak to the other side: what that presented (spec: identity 6). */
export type DialRefusal = 'unknown_authority' | 'expired' | 'other_host' | 'tls_version' | 'not_tls';

/** gRPC tells nobody but by words why there is no connection. */
const NO_CONNECTION = 'No connection established. Last error: ';
const REFUSALS: readonly (readonly [RegExp, DialRefusal])[] = [
  [/certificate (has expired|is not yet valid)/, 'expired'],
  [/ERR_TLS_CERT_ALTNAME_INVALID/, 'other_host'],
  [/alert protocol version|unsupported protocol/, 'tls_version'],
  [/wrong version number|packet length too long/, 'not_tls'],
  [/unable to (verify|get)|self-signed certificate|signature failure/, 'unknown_authority'],
];

/** Undefined for every other end of a call: a server that is not there, or that said itself why it refuses. `words` = the details of a gRPC status. */
export function dialRefusalOf(words: string): DialRefusal | undefined {
  if (!words.includes(NO_CONNECTION)) return undefined;
  return REFUSALS.find(([pattern]) => pattern.test(words))?.[1];
}
