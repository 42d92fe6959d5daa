/** RFC 3339 with whole seconds, as Kubernetes writes its times. */
export function timestamp(unixMs: number): string {
  return new Date(unixMs).toISOString().replace(/\.\d{3}Z$/, 'Z');
}
