import type { ChannelCredentials } from '@grpc/grpc-js';
import type { Clock } from '../../lib/clock.ts';
import { UsageError } from '../../lib/usage-error.ts';
import type { Behaviour, Capability, Profile } from './behaviour.ts';
import { Caller, connect } from './caller.ts';
import { probe } from './capabilities.ts';
import { required } from './catalogue.ts';
import { bringBack } from './clean-up.ts';
import { DurableLane, type DurableOptions } from './durable-lane.ts';
import { NotTestable, Violation } from './expectation.ts';
import { Transcript } from './exchange.ts';
import { verdictOf, type Outcome, type SuiteResult } from './outcome.ts';
import { SlotPool } from './slot-pool.ts';
import { Trial, type Pace } from './trial.ts';
import { quoted } from './wire-text.ts';

export interface SuiteOptions {
  /** host:port */
  readonly target: string;
  readonly credentials: ChannelCredentials;
  readonly claims: ReadonlySet<Profile>;
  /** What to try; in this order. */
  readonly behaviours: readonly Behaviour[];
  readonly seed: number;
  /** Unlike that of any other run against this provider: fences remember shards. */
  readonly runId: string;
  readonly pace: Pace;
  readonly scaleMachines: number;
  readonly clock: Clock;
  /** How to start the provider, for the durable profile. */
  readonly durable?: Pick<DurableOptions, 'provider' | 'stuck'>;
  /** Go on though the provider serves clusters that are not ours. */
  readonly isInUse?: boolean;
  /** Leave the machines as the tests left them. */
  readonly isKept?: boolean;
  /** Begins nothing more once it aborts, and cleans up. */
  readonly signal?: AbortSignal;
  readonly onOutcome?: (outcome: Outcome) => void;
}

const ALL_CAPABILITIES: Readonly<Record<Capability, boolean>> = { delete: true, revisions: true };
const LACK: Readonly<Record<Capability, string>> = {
  delete: 'the provider answers Delete with UNIMPLEMENTED; one of fixed capacity claims bare-metal instead of core',
  revisions: 'the provider gives out no revisions, and so no deltas',
};

/** Tries behaviours one after the other against one provider. Rejects when nobody is at the target, or somebody uses it. */
export async function runSuite(options: SuiteOptions): Promise<SuiteResult> {
  return new Suite(options).run();
}

class Suite {
  private readonly options: SuiteOptions;
  private readonly slots: SlotPool;
  private readonly janitor: Caller;
  private readonly leftBehind: string[] = [];
  private readonly cleaning = new Set<Promise<void>>();
  private readonly durable: DurableLane | undefined;
  private cleanUps = 0n;

  constructor(options: SuiteOptions) {
    this.options = options;
    this.slots = new SlotPool(() => this.cleanedUp());
    this.janitor = new Caller(connect(options.target, options.credentials), options.clock, new Transcript());
    const trialAt = (address: string, id: string): Trial => this.trial(id, address, new SlotPool(() => Promise.resolve()));
    this.durable = options.durable && new DurableLane({ ...options.durable, trialAt });
  }

  async run(): Promise<SuiteResult> {
    const { target, claims, behaviours, seed, clock, onOutcome, signal } = this.options;
    const began = clock.monotonic();
    const outcomes: Outcome[] = [];
    try {
      const reply = await this.janitor.list({ max: 1 });
      if (reply.value === undefined) throw new Error(`no provider answers at ${target}: ${reply.exchange.got}`);
      if (!this.options.isInUse) await this.mustBeUnused();
      const capabilities = behaviours.some((b) => b.needs) ? await this.probe() : ALL_CAPABILITIES;
      for (const behaviour of behaviours) {
        if (signal?.aborted) break;
        const outcome = await this.try(behaviour, capabilities);
        outcomes.push(outcome);
        onOutcome?.(outcome);
      }
      await this.cleanedUp();
      const needed = required(claims);
      return {
        target, claims: [...claims], seed, outcomes, capabilities, ...verdictOf(needed, outcomes),
        applicable: needed.length, ms: Math.round(clock.monotonic() - began), leftBehind: this.leftBehind,
      };
    } finally {
      this.janitor.peer.close();
      await this.durable?.close();
    }
  }

  /** Who serves somebody must not be experimented with by mistake. What a former run left bound is ours. */
  private async mustBeUnused(): Promise<void> {
    const { value } = await this.janitor.list({ states: ['Configured'] });
    const serving = value?.machines.find(({ cluster }) => cluster !== '' && !/^(conf|fault)-/.test(cluster));
    if (!serving) return;
    throw new UsageError(
      `the provider at ${this.options.target} serves clusters: ${serving.id} is bound to ${quoted(serving.cluster)}. Try one that nobody uses; if it has to be this one, add --in-use`,
    );
  }

  private async probe(): Promise<Readonly<Record<Capability, boolean>>> {
    const trial = this.trial('probe');
    try {
      return await probe(trial);
    } catch (error) {
      if (error instanceof NotTestable) return ALL_CAPABILITIES;
      throw error;
    } finally {
      this.putBack(trial.close());
    }
  }

  private async try(behaviour: Behaviour, capabilities: Readonly<Record<Capability, boolean>>): Promise<Outcome> {
    const { clock } = this.options;
    const lacking = behaviour.needs?.find((capability) => !capabilities[capability]);
    if (lacking) return { behaviour, result: 'skipped', ms: 0, reason: LACK[lacking] };
    if (behaviour.isQuiet) await this.cleanedUp();
    const trial = this.trial(behaviour.id);
    const began = clock.monotonic();
    const ended = (): Pick<Outcome, 'behaviour' | 'ms' | 'notes'> => ({
      behaviour, ms: Math.round(clock.monotonic() - began), ...(trial.notes.length > 0 && { notes: trial.notes }),
    });
    try {
      await behaviour.run(trial);
      return { ...ended(), result: 'passed' };
    } catch (error) {
      if (error instanceof NotTestable) return { ...ended(), result: 'skipped', reason: error.message };
      return { ...ended(), result: 'failed', ...failure(error, trial.transcript) };
    } finally {
      this.putBack(trial.close(), { isFailureMeant: behaviour.area === 'faults' });
    }
  }

  private trial(id: string, address = this.options.target, slots = this.slots): Trial {
    const { credentials, runId, seed, pace, clock, claims, scaleMachines } = this.options;
    return new Trial({
      id, runId, seed, pace, clock, claims, scaleMachines, slots, ...(this.durable && { durable: this.durable }),
      connect: (transcript, elsewhere = address) => new Caller(connect(elsewhere, credentials), clock, transcript),
    });
  }

  /** Goes on behind the next trial. */
  private putBack(machines: readonly string[], { isFailureMeant = false } = {}): void {
    if (this.options.isKept) return;
    for (const id of machines) {
      const done = this.bringBack(id, isFailureMeant).finally(() => this.cleaning.delete(done));
      this.cleaning.add(done);
    }
  }

  private async bringBack(id: string, isFailureMeant: boolean): Promise<void> {
    const { clock, pace, runId } = this.options;
    const next = () => ({ shard: `conf-${runId}-cleanup`, epoch: 1n, sequence: ++this.cleanUps });
    try {
      const { isFree, hasFailed = false, problem } = await bringBack(id, this.janitor, { clock, withinMs: pace.reachMs, next });
      if (isFree) this.slots.giveBack(id);
      if (problem !== undefined && !(hasFailed && isFailureMeant)) this.leftBehind.push(problem);
    } catch (error) {
      this.leftBehind.push(`${id}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  private async cleanedUp(): Promise<void> {
    while (this.cleaning.size > 0) await Promise.all(this.cleaning);
  }
}

/** A violation, or a test that stumbled over an answer it was not written for: either way the provider did not do as promised. */
function failure(error: unknown, transcript: Transcript): Pick<Outcome, 'expected' | 'got' | 'exchange' | 'exchanges' | 'omitted'> {
  const said = { exchanges: transcript.exchanges(), ...(transcript.omitted > 0 && { omitted: transcript.omitted }) };
  if (error instanceof Violation) {
    return { expected: error.expected, got: error.got, ...(error.exchange && { exchange: error.exchange.number }), ...said };
  }
  return { expected: 'an answer that can be judged', got: error instanceof Error ? (error.stack ?? error.message) : String(error), ...said };
}
