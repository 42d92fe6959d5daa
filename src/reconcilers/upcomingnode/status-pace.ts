import { isDeepStrictEqual } from 'node:util';
import type { UpcomingNode, UpcomingNodeStatus } from '../../api/types.ts';
import type { Clock } from '../../lib/clock.ts';

/** A step on a machine's way here that is over sooner is not written: the next one is. */
export const STEP_MS = 2_000;
/** Of these somebody may learn a moment later. That a machine leaves or has failed is written at once. */
const ARRIVING: ReadonlySet<string | undefined> = new Set(['Provisioning', 'Launched', 'Registered', 'Ready']);

interface Step {
  /** Monotonic ms of the last write; undefined: none by this process. */
  writtenAt?: number;
  /** Decided and not written, and the stored status that it follows. */
  held?: { readonly status: UpcomingNodeStatus; readonly after: UpcomingNodeStatus | undefined };
}

/**
 * Spares the API server the steps that nobody could see: a machine that joins within seconds goes through six statuses, each
 * a write. What is held back is decided all the same: the next decision starts from it.
 */
export class StatusPace {
  private readonly steps = new Map<string, Step>();
  private readonly clock: Clock;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** The object with the status that was last decided, whether or not it is written. */
  asDecided(stored: UpcomingNode): UpcomingNode {
    const held = this.steps.get(stored.metadata.name)?.held;
    return held && isDeepStrictEqual(held.after, stored.status) ? { ...stored, status: held.status } : stored;
  }

  /** How long to wait before writing this, in ms; 0: it is written now. */
  holdBack({ metadata: { name }, status }: UpcomingNode, wanted: UpcomingNodeStatus): number {
    const step = this.steps.get(name);
    if (step?.writtenAt === undefined || !mayWait(status, wanted)) return 0;
    const waitMs = step.writtenAt + STEP_MS - this.clock.monotonic();
    if (waitMs > 0) step.held = { status: wanted, after: status };
    return Math.max(0, waitMs);
  }

  wrote(name: string): void {
    this.steps.set(name, { writtenAt: this.clock.monotonic() });
  }

  forget(name: string): void {
    this.steps.delete(name);
  }
}

/** The Node's arrival is what is waited for: it is told at once. */
function mayWait(stored: UpcomingNodeStatus | undefined, wanted: UpcomingNodeStatus): boolean {
  return ARRIVING.has(stored?.phase) && ARRIVING.has(wanted.phase) && (isReady(stored) || !isReady(wanted));
}

function isReady(status: UpcomingNodeStatus | undefined): boolean {
  return status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false;
}
