/** One promise to users, checked on a running system. Its name is a sentence; a check throws when it does not hold. */
export interface Promised {
  readonly id: string;
  readonly promise: string;
  /** none: it starts no API server. */
  readonly controlPlane: 'processes' | 'embedded' | 'none';
  /** Of one on the embedded control plane alone: those that show the same on real API servers. */
  readonly onRealServers?: readonly string[];
  /** Returns what was seen, for the report. */
  run(context: PromiseContext): Promise<string>;
}

export interface PromiseContext {
  /** A fresh directory of its own. */
  readonly dir: string;
  readonly log: (line: string) => void;
  /** How often a process is to be paused, where that is what is checked. */
  readonly pauses: number;
  /** How often some process is to be killed, where many are. */
  readonly kills: number;
}

export interface PromiseResult {
  readonly id: string;
  readonly promise: string;
  readonly controlPlane: string;
  readonly kubernetes?: string;
  readonly onRealServers?: readonly string[];
  readonly outcome: 'passed' | 'failed' | 'skipped';
  readonly ms: number;
  readonly detail: string;
  /** What was measured, where something was. */
  readonly figures?: Readonly<Record<string, unknown>>;
}

/** Runs a check and makes a result of what it returns or throws. */
export async function judge(named: Pick<PromiseResult, 'id' | 'promise' | 'controlPlane' | 'kubernetes' | 'onRealServers'>, run: () => Promise<Pick<PromiseResult, 'detail' | 'kubernetes' | 'figures'>>): Promise<PromiseResult> {
  const started = performance.now();
  const ms = (): number => Math.round(performance.now() - started);
  try {
    const seen = await run();
    return { ...named, ...seen, outcome: 'passed', ms: ms() };
  } catch (error) {
    return { ...named, outcome: 'failed', ms: ms(), detail: error instanceof Error ? error.message : String(error) };
  }
}

/** Repeats `check` until it returns without throwing; after `seconds` throws its last error with what was waited for. */
export async function eventually<T>(what: string, seconds: number, check: () => Promise<T>): Promise<T> {
  const end = performance.now() + seconds * 1000;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > end) throw new Error(`${what}: not within ${seconds} s: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }
}

/** Repeats `check` for `seconds`; throws as soon as it does. */
export async function throughout(what: string, seconds: number, check: () => Promise<void>): Promise<void> {
  const started = performance.now();
  const passed = (): number => (performance.now() - started) / 1000;
  while (passed() < seconds) {
    await check().catch((error: unknown) => {
      throw new Error(`${what}: no longer after ${passed().toFixed(1)} s of ${seconds}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    });
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

export function expect(holds: boolean, message: string): void {
  if (!holds) throw new Error(message);
}
