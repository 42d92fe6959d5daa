import type { Machine, TransitionAck } from '../../api/gen/bigfleet/v1alpha1/provider.ts';
import { sleep, systemClock } from '../../lib/clock.ts';
import { seededRandom, type Random } from '../../lib/random.ts';
import { startProvider } from './provider-child.ts';
import { codeOf, Rpc, stateName, unfenced, type Token } from './rpc.ts';

export interface KillOptions {
  /** A folder for the provider's state, empty at first. */
  readonly state: string;
  readonly rounds: number;
  readonly seed: number;
  /** Mutations on their way at any time. */
  readonly concurrent: number;
  readonly progress?: (line: string) => void;
}

export interface KillReport {
  readonly rounds: number;
  /** Mutations that were answered before a kill, with OK or a refusal, and those that were on their way at a kill. */
  readonly answered: number;
  readonly inDoubt: number;
  readonly marksChecked: number;
  readonly idsChecked: number;
  readonly bindingsChecked: number;
  /** From the start of a process on this state until it serves. */
  readonly startMs: readonly number[];
  /** What must not be: each line is a promise that was broken. */
  readonly violations: readonly string[];
}

type Kind = 'create' | 'configure' | 'drain' | 'delete';

/** One operation on a machine, which may be asked for many times. */
interface Operation {
  readonly kind: Kind;
  readonly machineId: string;
  readonly cluster: string;
  readonly metadata: ReadonlyMap<string, string>;
  id?: string;
}

const SHARD = 'killed';
const CONNECTIONS = 16;
/** One caller in so many speaks of a machine that does not exist: its mark must hold as well. */
const GHOST_EVERY = 20;
/** The process dies after fewer answers than these, and then within so many milliseconds. */
const MOST_ANSWERS = 1_500;
const MOST_MS = 10;

/**
 * Kills a provider with SIGKILL amid concurrent mutations, starts it again on the same state, and looks whether it kept
 * what it had answered: fence marks, operation ids, bindings. Each round goes on where the one before ended.
 */
export async function killRounds({ state, rounds, seed, concurrent, progress }: KillOptions): Promise<KillReport> {
  const random = seededRandom(seed);
  const ids = new Map<string, Operation>();
  const violations: string[] = [];
  const startMs: number[] = [];
  const flags = ['certify', `--state=${state}`, `--seed-count=${concurrent}`, '--latency-ms=0-30'];
  let provider = await startProvider(...flags);
  const known = (await provider.rpc.list()).machines.map(({ id }) => id);
  const callers = known.map((id, i) => new Caller(i % GHOST_EVERY === 0 ? `ghost-${i}` : id, random, ids, violations));
  let inDoubt = 0;
  try {
    for (let round = 1; round <= rounds; round++) {
      const rpcs = Array.from({ length: CONNECTIONS }, () => new Rpc(provider.port));
      const before = total(callers, 'answered');
      const enough = Promise.withResolvers<void>();
      let answersLeft = Math.floor(random() * MOST_ANSWERS);
      if (answersLeft === 0) enough.resolve();
      const onAnswer = (): void => {
        answersLeft -= 1;
        if (answersLeft === 0) enough.resolve();
      };
      const calling = callers.map((caller, i) => caller.callUntilCut(rpcs[i % CONNECTIONS]!, round, onAnswer));
      await enough.promise;
      await sleep(systemClock, random() * MOST_MS);
      await provider.kill();
      await Promise.all(calling);
      for (const rpc of rpcs) rpc.close();
      inDoubt += concurrent;
      provider = await startProvider(...flags);
      startMs.push(provider.startMs);
      const machines = new Map((await provider.rpc.list()).machines.map((machine) => [machine.id, machine]));
      if (machines.size !== known.length || known.some((id) => !machines.has(id))) violations.push(`${machines.size} machines instead of ${known.length}`);
      await Promise.all(callers.map((caller) => caller.check(provider.rpc, machines.get(caller.machineId))));
      progress?.(`round ${round}: killed with ${total(callers, 'answered') - before} answered and ${concurrent} on their way; violations so far: ${violations.length}`);
    }
  } finally {
    await provider.kill();
  }
  return {
    rounds, startMs, violations, inDoubt, answered: total(callers, 'answered'), marksChecked: total(callers, 'marksChecked'),
    idsChecked: total(callers, 'idsChecked'), bindingsChecked: total(callers, 'bindingsChecked'),
  };
}

function total(callers: readonly Caller[], field: 'answered' | 'marksChecked' | 'idsChecked' | 'bindingsChecked'): number {
  return callers.reduce((sum, caller) => sum + caller[field], 0);
}

/** States in which a machine is under way with, or has reached the end of, an operation. */
const during: Readonly<Record<Kind, readonly string[]>> = {
  create: ['CREATING', 'IDLE'], configure: ['CONFIGURING', 'CONFIGURED'], drain: ['DRAINING', 'IDLE'], delete: ['DELETING', 'SPECULATIVE'],
};
const following: Readonly<Record<string, readonly Kind[]>> = { SPECULATIVE: ['create'], IDLE: ['configure', 'configure', 'delete'], CONFIGURED: ['drain'] };

/** The only one who speaks of its machine: it always has one mutation on its way, and remembers what it was told. */
class Caller {
  readonly machineId: string;
  answered = 0;
  marksChecked = 0;
  idsChecked = 0;
  bindingsChecked = 0;
  private readonly random: Random;
  private readonly ids: Map<string, Operation>;
  private readonly violations: string[];
  private sequence = 0;
  private state = 'SPECULATIVE';
  /** The operation that the provider has acknowledged last. */
  private current: Operation | undefined;
  /** The operation that was on its way when the provider died. */
  private asked: Operation | undefined;
  /** The token of the last answer, and what it was about. */
  private spent: { readonly token: Token; readonly operation: Operation } | undefined;

  constructor(machineId: string, random: Random, ids: Map<string, Operation>, violations: string[]) {
    this.machineId = machineId;
    this.random = random;
    this.ids = ids;
    this.violations = violations;
  }

  async callUntilCut(rpc: Rpc, round: number, onAnswer: () => void): Promise<void> {
    for (;;) {
      const operation = (this.asked = this.next(round));
      const token: Token = [SHARD, round, ++this.sequence];
      let ack: TransitionAck | undefined;
      const code = await codeOf(call(rpc, operation, token).then((answer) => (ack = answer)));
      if (code === 'UNAVAILABLE' || code === 'CANCELLED') return;
      this.answered += 1;
      onAnswer();
      this.spent = { token, operation };
      if (ack) this.take(operation, ack);
      else if (code !== 'NOT_FOUND' || !this.machineId.startsWith('ghost')) this.violations.push(`${operation.kind} of ${this.machineId} in ${this.state}: ${code}`);
    }
  }

  async check(rpc: Rpc, machine: Machine | undefined): Promise<void> {
    if (this.spent) {
      this.marksChecked += 1;
      const { token, operation } = this.spent;
      const code = await codeOf(call(rpc, operation, token));
      if (code !== 'FAILED_PRECONDITION') this.violations.push(`the mark of ${this.machineId} went back: ${token.join()} was answered before, and again with ${code}`);
    }
    if (!machine) return;
    const state = stateName(machine);
    // What was on its way was done or was not; nobody has been told.
    const operation = this.asked && this.asked !== this.current && during[this.asked.kind].includes(state) ? this.asked : this.current;
    if (!operation) return;
    if (!during[operation.kind].includes(state)) return void this.violations.push(`${operation.kind} of ${this.machineId} was acknowledged, and the machine is ${state}`);
    if (operation.kind === 'configure') {
      this.bindingsChecked += 1;
      const same = machine.cluster === operation.cluster && sorted(machine.shardMetadata) === sorted(operation.metadata);
      if (!same) this.violations.push(`the binding of ${this.machineId} to ${operation.cluster} is lost: ${machine.cluster} ${sorted(machine.shardMetadata)}`);
    }
    this.idsChecked += 1;
    this.take(operation, await call(rpc, operation, unfenced));
  }

  private next(round: number): Operation {
    const kinds = following[this.state];
    if (!kinds && this.current) return this.current; // under way: ask again
    const kind = kinds?.[Math.floor(this.random() * kinds.length)] ?? 'create';
    return {
      kind, machineId: this.machineId, cluster: `cluster-${round}-${this.sequence}`,
      metadata: new Map([['sequence', String(this.sequence)], ['nul\0', `\0${round}`], ['__proto__', '🐘']]),
    };
  }

  private take(operation: Operation, { operationId, machine }: TransitionAck): void {
    this.state = stateName(machine);
    this.current = operation;
    const owner = this.ids.get(operationId);
    if (operationId === '' || (owner && owner !== operation)) this.violations.push(`the id ${JSON.stringify(operationId)} of ${operation.kind} ${this.machineId} was given to ${owner?.kind} ${owner?.machineId} before`);
    if (operation.id !== undefined && operation.id !== operationId) this.violations.push(`${operation.kind} of ${this.machineId} was ${operation.id} and is now ${operationId}`);
    operation.id = operationId;
    this.ids.set(operationId, operation);
  }
}

function call(rpc: Rpc, { kind, machineId, cluster, metadata }: Operation, token: Token): Promise<TransitionAck> {
  switch (kind) {
    case 'create':
      return rpc.create(machineId, token);
    case 'configure':
      return rpc.configure(machineId, { cluster, metadata }, token);
    case 'drain':
      return rpc.drain(machineId, 0, token);
    case 'delete':
      return rpc.delete(machineId, token);
  }
}

function sorted(metadata: ReadonlyMap<string, string>): string {
  return JSON.stringify([...metadata].sort());
}
