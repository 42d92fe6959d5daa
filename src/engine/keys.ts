/** Composite names under which facts are remembered and looked up. */

/** Key of the remembered arrival of a demand (D5), and of the bindings decided for it (D34). */
export function arrivalKey(cluster: string, fingerprint: string, group: string): string {
  return JSON.stringify([cluster, fingerprint, group]);
}

/** The cluster inside an arrival key; undefined if the text is not one. */
export function clusterOfArrivalKey(key: string): string | undefined {
  try {
    const parts: unknown = JSON.parse(key);
    return Array.isArray(parts) && typeof parts[0] === 'string' ? parts[0] : undefined;
  } catch {
    return undefined;
  }
}
