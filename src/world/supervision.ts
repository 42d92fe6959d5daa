/** What `world` and its supervisor tell each other over the process's IPC channel. */
export type WorldReport =
  | { readonly kind: 'ready' }
  | { readonly kind: 'counts'; readonly planned: number; readonly submitted: number; readonly bound: number; readonly finished: number; readonly refused: number; readonly recreated: number }
  | { readonly kind: 'told'; readonly event: Readonly<Record<string, unknown>> };

export type WorldCommand = { readonly kind: 'start' };

export function isWorldCommand(message: unknown): message is WorldCommand {
  return typeof message === 'object' && message !== null && (message as { kind?: unknown }).kind === 'start';
}
