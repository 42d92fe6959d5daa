/** What words of shells, YAML, JSON and URLs are made of; everything else parts them. */
const WORD = /[A-Za-z0-9._~+/-]+/g;
/** Shorter words are everyday ones rather than tokens, keys or certificates. */
const MIN_LENGTH = 12;

/**
 * Takes out of a line every long word that the secret contains, in case a hook prints what it was given. A precaution
 * and no more: a hook that encodes the secret before printing it is not caught.
 */
export function secretFilter(secret: Uint8Array | undefined): (line: string) => string {
  if (!secret || secret.length === 0) return (line) => line;
  const words = new Set<string>();
  for (const [word] of Buffer.from(secret).toString('utf8').matchAll(WORD)) if (word.length >= MIN_LENGTH) words.add(word);
  return (line) => line.replace(WORD, (word) => (words.has(word) ? '[redacted]' : word));
}
