/** What a run of tests says about the program that it was run on. */

/** What vitest's reporter `json` writes, as far as it matters. */
export interface Report {
  readonly testResults: readonly {
    /** The path of the file. */
    readonly name: string;
    readonly status: string;
    readonly message: string;
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string; readonly failureMessages?: readonly string[] | null }[];
  }[];
}

export interface Objection {
  /** The file, by the end of its path. */
  readonly suite: string;
  readonly test: string;
}

export interface Outcome {
  readonly killedBy?: Objection;
  /** The tests could not even begin: no rule was broken but the file. */
  readonly broken?: string;
  /** Something was given up before any test had objected: the program may hang, or the machine may be slow. Says what. */
  readonly timedOut?: string;
}

/** undefined = the run was cut off by an objection that was lost with the file that made it: it has to be repeated without being cut off. */
export function judge({ testResults }: Report, suites: readonly string[]): Outcome | undefined {
  const suiteOf = (path: string): string => suites.find((suite) => path.replaceAll('\\', '/').endsWith(`/${suite}`)) ?? path;
  const failed = testResults.flatMap(({ name, assertionResults }) =>
    assertionResults.flatMap(({ status, fullName, failureMessages }) => (status === 'failed' ? [{ suite: suiteOf(name), test: fullName, messages: failureMessages ?? [] }] : [])));
  const objection = failed.find(({ messages }) => !isTimeout(messages));
  if (objection !== undefined) return { killedBy: { suite: objection.suite, test: objection.test } };
  const [late] = failed;
  if (late !== undefined) return { timedOut: late.test };
  const stopped = testResults.find(({ status }) => status === 'failed');
  if (stopped === undefined) return {};
  const why = stopped.message.split('\n')[0] ?? '';
  if (stopped.assertionResults.length === 0) return why === '' ? undefined : { broken: why };
  const test = `${suiteOf(stopped.name)} as a whole ${why}`.trim();
  return isTimeout([why]) ? { timedOut: test } : { killedBy: { suite: suiteOf(stopped.name), test } };
}

/** A test that did not come to its end has seen nothing that is wrong. */
function isTimeout(messages: readonly string[]): boolean {
  return messages.length > 0 && messages.every((message) => /\b(?:Test|Hook) timed out in \d/.test(message));
}

/** Suites that have objected without having been seen green on the untouched tree, in the order of `suites`. */
export function unproven(objections: readonly Objection[], suites: readonly string[], seenGreen: readonly string[]): readonly string[] {
  const asked = new Set(objections.map(({ suite }) => suite));
  return suites.filter((suite) => asked.has(suite) && !seenGreen.includes(suite));
}
