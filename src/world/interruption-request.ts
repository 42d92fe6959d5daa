import type { PlannedInterruption } from './demand/plan.ts';

const TIMEOUT_MS = 5_000;

/** Asks the provider's control panel to take machines away; resolves to their ids (none, if no such machine is bound). */
export async function requestInterruption(adminUrl: string, { capacityType, count }: PlannedInterruption): Promise<readonly string[]> {
  const response = await fetch(new URL('/interrupt', adminUrl), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ capacityType, count }),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (!response.ok) throw new Error(`the provider answered ${response.status} to an interruption: ${await response.text()}`);
  const { interrupted } = (await response.json()) as { interrupted?: readonly string[] };
  return interrupted ?? [];
}
