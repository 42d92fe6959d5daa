import type { Machine, MachineList, TransitionAck } from '../../api/gen/bigfleet/v1alpha1/provider.ts';
import { sleep, type Clock } from '../../lib/clock.ts';
import { seededRandom, stableHash, type Random } from '../../lib/random.ts';
import type { MachineState } from '../kit/machine.ts';
import { stateOfWire } from '../kit/wire.ts';
import { type Caller, type ConfigureArguments, type ListArguments, type Reply, type Token } from './caller.ts';
import { accepted, check, NotTestable, Violation } from './expectation.ts';
import { Transcript, type Exchange } from './exchange.ts';
import type { Profile } from './behaviour.ts';
import type { Crash, DurableLane, Interruption } from './durable-lane.ts';
import type { SlotPool } from './slot-pool.ts';
import { machineText, stateText } from './wire-text.ts';

/** How long things may take. */
export interface Pace {
  /** One transition, from its acknowledgement to its end. */
  readonly reachMs: number;
  /** How long nothing may move by itself, for those who watch. */
  readonly stillMs: number;
  /** How long a fence mark is left alone before it is tried again. */
  readonly markMs: number;
  /** How long deltas must stay empty. */
  readonly quietMs: number;
  /** After how long a transition of a fault target ends as FAILED. */
  readonly faultTimeoutMs: number;
  readonly soakMs: number;
  /** What the contract demands, if absent. */
  readonly latency?: LatencyLimits;
}

/** The 99th percentiles that B1106 demands, and the longest that B1107 lets one full List take. */
export interface LatencyLimits {
  readonly getMs: number;
  readonly createMs: number;
  readonly listMs: number;
  readonly oneListMs: number;
}

/** What the contract demands (spec: provider 1.4). */
export const contractLatency: LatencyLimits = { getMs: 250, createMs: 250, listMs: 2_000, oneListMs: 3_000 };

export interface TrialOptions {
  readonly id: string;
  /** Unlike that of any other run against this provider. */
  readonly runId: string;
  readonly seed: number;
  readonly pace: Pace;
  readonly clock: Clock;
  readonly claims: ReadonlySet<Profile>;
  readonly scaleMachines: number;
  readonly slots: SlotPool;
  /** A new connection to the provider. */
  readonly connect: (transcript: Transcript, address?: string) => Caller;
  /** Absent: the suite cannot start the provider itself. */
  readonly durable?: DurableLane;
}

export interface ConfigureOptions extends Partial<ConfigureArguments> {
  readonly token?: Token;
}

/** Whoever waits asks at once, then ever less often up to this; whoever watches asks all the time. */
const REACH_POLL_MS = 20;
const TRACE_POLL_MS = 1;

/** One behaviour being tried: the calls, the machines it took, and what was said. Also the vocabulary of the tests. */
export class Trial {
  readonly pace: Pace;
  readonly claims: ReadonlySet<Profile>;
  readonly scaleMachines: number;
  readonly clock: Clock;
  readonly transcript = new Transcript();
  /** Uniform in [0, 1); the same for the same seed and id. */
  readonly random: Random;
  /** The shard that speaks unless a token says otherwise: no other trial, and no other run, uses it. */
  readonly shard: string;
  readonly notes: string[] = [];
  private readonly options: TrialOptions;
  private readonly taken = new Set<string>();
  private readonly callers: Caller[] = [];
  private rpc: Caller | undefined;
  private sequence = 0n;

  constructor(options: TrialOptions) {
    this.options = options;
    this.pace = options.pace;
    this.claims = options.claims;
    this.scaleMachines = options.scaleMachines;
    this.clock = options.clock;
    this.random = seededRandom(stableHash(`${options.seed} ${options.id}`));
    this.shard = this.named('shard');
  }

  /** A name that nobody else uses, for shards and ghosts. */
  named(what: string): string {
    return `conf-${this.options.runId}-${this.options.id}-${what}`;
  }

  /** The next token of this trial's shard. */
  next(): Token {
    return { shard: this.shard, epoch: 1n, sequence: ++this.sequence };
  }

  at(epoch: number | bigint, sequence: number | bigint, shard: string = this.shard): Token {
    return { shard, epoch: BigInt(epoch), sequence: BigInt(sequence) };
  }

  /** A token of a shard that has never spoken. */
  stranger(name: number | string): Token {
    return this.at(1, 1, `${this.shard}-${name}`);
  }

  create(id: string, token: Token = this.next()): Promise<Reply<TransitionAck>> {
    return this.calls.create(id, token);
  }

  configure(id: string, options: ConfigureOptions = {}): Promise<Reply<TransitionAck>> {
    return this.calls.configure(id, configureArguments(options), options.token ?? this.next());
  }

  drain(id: string, { grace = 0n, token = this.next() }: { grace?: bigint; token?: Token } = {}): Promise<Reply<TransitionAck>> {
    return this.calls.drain(id, grace, token);
  }

  delete(id: string, token: Token = this.next()): Promise<Reply<TransitionAck>> {
    return this.calls.delete(id, token);
  }

  get(id: string): Promise<Reply<Machine>> {
    return this.calls.get(id);
  }

  list(filter: ListArguments = {}): Promise<Reply<MachineList>> {
    return this.calls.list(filter);
  }

  /** A second connection, as another process would have. */
  secondConnection(): Caller {
    const caller = this.options.connect(this.transcript);
    this.callers.push(caller);
    return caller;
  }

  /** A machine that is SPECULATIVE and that no other trial uses. */
  async speculative(): Promise<string> {
    const id = await this.options.slots.take(this.calls);
    this.taken.add(id);
    return id;
  }

  /** Lets this trial use a machine that it found itself. */
  claim(id: string): void {
    this.options.slots.reserve(id);
    this.taken.add(id);
  }

  async idle(): Promise<string> {
    const id = await this.speculative();
    await this.toIdle(id);
    return id;
  }

  async configured(options: ConfigureOptions = {}): Promise<string> {
    const id = await this.idle();
    await this.toConfigured(id, options);
    return id;
  }

  async toIdle(id: string): Promise<TransitionAck> {
    const ack = accepted(await this.create(id), `Create of a SPECULATIVE machine with a fresh token`);
    await this.reach(id, 'Idle');
    return ack;
  }

  async toConfigured(id: string, options: ConfigureOptions = {}): Promise<TransitionAck> {
    const ack = accepted(await this.configure(id, options), 'Configure of an IDLE machine with a fresh token');
    await this.reach(id, 'Configured');
    return ack;
  }

  /** Drains a CONFIGURED machine and returns it as it is once IDLE. */
  async toDrained(id: string, grace = 0n): Promise<{ ack: TransitionAck; machine: Machine }> {
    const ack = accepted(await this.drain(id, { grace }), 'Drain of a CONFIGURED machine with a fresh token');
    return { ack, machine: await this.reach(id, 'Idle') };
  }

  /** The machine as Get returns it. */
  async look(id: string): Promise<Machine> {
    return accepted(await this.get(id), 'Get of a machine that exists');
  }

  /** Everything there is, or of some states. */
  async inventory(states: readonly MachineState[] = []): Promise<readonly Machine[]> {
    return accepted(await this.list({ states }), 'a List without a cap').machines;
  }

  /** All machines, where a promise about none of them, or too few, would be kept by whoever has nothing. */
  async fleet(atLeast = 1): Promise<readonly Machine[]> {
    const all = await this.inventory();
    if (all.length >= atLeast) return all;
    return this.notTestable(all.length === 0 ? 'the provider lists no machine' : `the provider lists ${all.length} machines; this takes ${atLeast}`);
  }

  async head(): Promise<Uint8Array> {
    return accepted(await this.list({ max: 1 }), 'List').revision;
  }

  async since(cursor: Uint8Array, because: string, max = 0): Promise<MachineList> {
    return accepted(await this.list({ since: cursor, max }), because);
  }

  /** Waits until the machine is in this state. */
  async reach(id: string, state: MachineState): Promise<Machine> {
    return this.reachOneOf(id, [state]);
  }

  async reachOneOf(id: string, states: readonly MachineState[], withinMs = this.pace.reachMs): Promise<Machine> {
    return this.observe(id, states, { withinMs, pollMs: REACH_POLL_MS });
  }

  /** Watches closely until the machine is in `state`; resolves with what was seen, from `begin` on, and the states without repeats. */
  async trace(id: string, state: MachineState, begin?: Machine): Promise<{ seen: readonly MachineState[]; last: Machine; all: readonly Machine[] }> {
    const all: Machine[] = begin ? [begin] : [];
    const last = await this.observe(id, [state], { withinMs: this.pace.reachMs, pollMs: TRACE_POLL_MS, onSeen: (machine) => all.push(machine) });
    const seen = all.map(stateOf).filter((s, i, list) => s !== list[i - 1]);
    return { seen, last, all };
  }

  /** Checks that the machine stays as it is for a while. */
  async staysFor(ms: number, id: string, state: MachineState, isSame: (machine: Machine) => boolean = () => true): Promise<void> {
    const end = this.clock.monotonic() + ms;
    for (;;) {
      // The last look begins when the time is over: the answer to an earlier one may be as old as the question.
      const isLast = this.clock.monotonic() >= end;
      const machine = await this.look(id);
      check(stateOf(machine) === state && isSame(machine), `${id} to stay ${stateText(state)}, unchanged, for ${ms} ms`, machineText(machine));
      if (isLast) return;
      await this.pause(REACH_POLL_MS);
    }
  }

  pause(ms: number): Promise<void> {
    return sleep(this.clock, ms);
  }

  /** The provider after it was killed and started again, and what was so before. */
  async afterCrash(): Promise<{ readonly crash: Crash; readonly rpc: Caller }> {
    const crash = await this.durable().crash();
    return { crash, rpc: this.goOnWith(crash) };
  }

  /** The provider after it was killed while machines were under way. */
  async afterInterruption(): Promise<{ readonly interruption: Interruption; readonly rpc: Caller }> {
    const interruption = await this.durable().interrupt();
    return { interruption, rpc: this.goOnWith(interruption) };
  }

  /** A figure for the report. */
  note(text: string): void {
    this.notes.push(text);
  }

  /** Why this cannot be told from this provider; no pass. */
  notTestable(reason: string): never {
    throw new NotTestable(reason);
  }

  /** A whole number from 0 to below `end`. */
  pick(end: number): number {
    return Math.floor(this.random() * end);
  }

  /** Closes connections. Which machines are to be put back. */
  close(): readonly string[] {
    for (const caller of this.callers.splice(0)) caller.peer.close();
    return [...this.taken];
  }

  private durable(): DurableLane {
    return this.options.durable ?? this.notTestable('only a provider that the suite starts itself can be killed; give the command by --start');
  }

  private goOnWith({ address, said }: { readonly address: string; readonly said: readonly Exchange[] }): Caller {
    this.transcript.begin(said);
    const caller = this.options.connect(this.transcript, address);
    this.callers.push(caller);
    return caller;
  }

  private get calls(): Caller {
    return (this.rpc ??= this.secondConnection());
  }

  private async observe(
    id: string, states: readonly MachineState[],
    { withinMs, pollMs, onSeen = () => {} }: { withinMs: number; pollMs: number; onSeen?: (machine: Machine) => void },
  ): Promise<Machine> {
    const end = this.clock.monotonic() + withinMs;
    let pauseMs = TRACE_POLL_MS;
    const wanted = states.map(stateText).join(' or ');
    for (;;) {
      const machine = await this.look(id);
      onSeen(machine);
      const state = stateOf(machine);
      if (states.includes(state)) return machine;
      if (state === 'Failed') throw new Violation(`${id} to become ${wanted}`, machineText(machine));
      if (this.clock.monotonic() > end) throw new Violation(`${id} to become ${wanted} within ${withinMs} ms`, `still ${machineText(machine)}`);
      await this.pause(pauseMs);
      pauseMs = Math.min(pollMs, pauseMs * 2);
    }
  }
}

export function configureArguments({ cluster = 'conf-cluster', metadata = new Map(), blob = Buffer.from('# conformance\n') }: Partial<ConfigureArguments>): ConfigureArguments {
  return { cluster, metadata, blob };
}

/** The state behind the wire number. Throws a Violation for one that the contract does not have. */
export function stateOf(machine: Machine): MachineState {
  const state = stateOfWire(machine.state);
  if (state === undefined) throw new Violation(`${machine.id} to have a state of the contract`, stateText(machine.state));
  return state;
}
