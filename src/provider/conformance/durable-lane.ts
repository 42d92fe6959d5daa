import type { Machine } from '../../api/gen/bigfleet/v1alpha1/provider.ts';
import { unfenced } from './caller.ts';
import { accepted, NotTestable, refused } from './expectation.ts';
import type { Exchange } from './exchange.ts';
import { stateOf, type Trial } from './trial.ts';

/** A provider that the suite has started, and can kill as a crash would. */
export interface StartedProvider {
  /** host:port */
  readonly address: string;
  /** SIGKILL: nothing is finished, nothing is said. Resolves when it is gone. */
  kill(): Promise<void>;
}

export interface ProviderStarter {
  /** Starts it on a free port with this many slots, on the state of an earlier start with the same name if there was one. */
  start(stateName: string, seeds: number): Promise<StartedProvider>;
}

export interface DurableOptions {
  readonly provider: ProviderStarter;
  /** The same, made so that a Configure for cluster fault-timeout does not end soon; `provider` if absent. */
  readonly stuck?: ProviderStarter;
  readonly trialAt: (address: string, id: string) => Trial;
}

/** What was so when the provider was killed. */
export interface Crash {
  readonly address: string;
  readonly said: readonly Exchange[];
  readonly fencedId: string;
  /** Nobody knows this machine; DUR_A has spoken of it all the same. */
  readonly ghostId: string;
  /** SPECULATIVE; a Drain of DUR_A was refused. */
  readonly refusedId: string;
  readonly boundId: string;
  readonly configureOperation: string;
  readonly untouched: readonly [string, string];
  readonly operations: readonly string[];
  /** A revision, and a machine that has changed since. */
  readonly midway: { readonly revision: Uint8Array; readonly changedId: string };
  readonly revisionBefore: Uint8Array;
  readonly before: readonly Machine[];
  readonly after: readonly Machine[];
  readonly revisionAfter: Uint8Array;
}

/** What was under way when the provider was killed. */
export interface Interruption {
  readonly address: string;
  readonly said: readonly Exchange[];
  /** CONFIGURING. */
  readonly id: string;
  /** CREATING, unless that takes no time. */
  readonly createdId: string;
}

const SEEDS = 64;
export const DUR_A = { shard: 'durA', epoch: 3n, sequence: 7n } as const;
export const DURABLE_METADATA: ReadonlyMap<string, string> = new Map([['d/k', 'v'], ['d/k2', 'v2']]);

/** Prepares a provider, kills it and starts it again: once, for all tests of the durable profile. */
export class DurableLane {
  private readonly options: DurableOptions;
  private readonly running = new Set<StartedProvider>();
  private crashed: Promise<Crash> | undefined;

  constructor(options: DurableOptions) {
    this.options = options;
  }

  crash(): Promise<Crash> {
    return (this.crashed ??= this.makeCrash());
  }

  /** Kills it while a machine is CONFIGURING, and right after a Create. */
  async interrupt(): Promise<Interruption> {
    const starter = this.options.stuck ?? this.options.provider;
    const first = await this.start(starter, 'interrupted');
    const t = this.options.trialAt(first.address, 'interrupted');
    try {
      const id = await t.idle();
      accepted(await t.configure(id, { cluster: 'fault-timeout' }), 'Configure of an IDLE machine');
      const state = stateOf(await t.look(id));
      if (state !== 'Configuring') {
        throw new NotTestable(`Configure for cluster fault-timeout ended as ${state.toUpperCase()} before the provider could be killed; give a command by --start-stuck where it takes long`);
      }
      const createdId = await t.speculative();
      accepted(await t.create(createdId), 'Create of a SPECULATIVE machine');
      await this.kill(first);
      const second = await this.start(starter, 'interrupted');
      return { address: second.address, id, createdId, said: t.transcript.exchanges() };
    } finally {
      t.close();
    }
  }

  async close(): Promise<void> {
    for (const provider of [...this.running]) await this.kill(provider);
  }

  private async makeCrash(): Promise<Crash> {
    const first = await this.start(this.options.provider, 'crashed');
    const t = this.options.trialAt(first.address, 'crash');
    try {
      const facts = await prepare(t);
      await this.kill(first);
      const second = await this.start(this.options.provider, 'crashed');
      const again = this.options.trialAt(second.address, 'restart');
      try {
        const list = accepted(await again.list(), 'List after the restart');
        return { ...facts, address: second.address, after: list.machines, revisionAfter: list.revision, said: [...t.transcript.exchanges(), ...again.transcript.exchanges()] };
      } finally {
        again.close();
      }
    } finally {
      t.close();
    }
  }

  private async start(starter: ProviderStarter, stateName: string): Promise<StartedProvider> {
    const provider = await starter.start(stateName, SEEDS);
    this.running.add(provider);
    return provider;
  }

  private async kill(provider: StartedProvider): Promise<void> {
    this.running.delete(provider);
    await provider.kill();
  }
}

async function prepare(t: Trial): Promise<Omit<Crash, 'address' | 'said' | 'after' | 'revisionAfter'>> {
  const fencedId = await t.speculative();
  const fenced = accepted(await t.create(fencedId, DUR_A), 'a first contact');
  await t.reach(fencedId, 'Idle');
  const ghostId = t.named('ghost');
  refused(await t.create(ghostId, DUR_A), 'there is no such machine', ['NOT_FOUND']);
  const refusedId = await t.speculative();
  refused(await t.drain(refusedId, { token: DUR_A }), `${refusedId} is SPECULATIVE`);

  const boundId = await t.speculative();
  const created = await t.toIdle(boundId);
  const bound = accepted(await t.configure(boundId, { cluster: 'durable-cluster', metadata: DURABLE_METADATA, token: unfenced }), 'Configure of an IDLE machine');
  await t.reach(boundId, 'Configured');

  const revision = await t.head();
  const drainedId = await t.speculative();
  const others = [await t.toIdle(drainedId), await t.toConfigured(drainedId), (await t.toDrained(drainedId)).ack];
  const untouched = [await t.speculative(), await t.speculative()] as const;
  const last = accepted(await t.list(), 'List');
  return {
    fencedId, ghostId, refusedId, boundId, configureOperation: bound.operationId, untouched,
    operations: [fenced, created, bound, ...others].map((ack) => ack.operationId),
    midway: { revision, changedId: drainedId }, revisionBefore: last.revision, before: last.machines,
  };
}
