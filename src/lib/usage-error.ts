/** What the person typed cannot work: the message names the flag or file and the fix; the process exits with 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
