import { GrpcCode, GrpcError } from '../../api/grpc.ts';
import type { Requirement } from '../../api/profile.ts';
import { encodeShardMetadata } from '../../api/shard-metadata.ts';
import type { Assignment } from '../../engine/types.ts';
import { assertNever } from '../../lib/assert-never.ts';
import type { Clock } from '../../lib/clock.ts';
import { deadline } from '../../lib/deadline.ts';
import type { Random } from '../../lib/random.ts';
import { ProviderError } from '../../provider/client.ts';
import type { Acknowledgement, MutationLimits, ProviderClient } from '../../provider/client.ts';
import type { FailureClass } from '../../provider/failure-class.ts';
import { after, done } from '../../runtime/types.ts';
import type { Log, ReconcileContext, Reconciler, Result } from '../../runtime/types.ts';
import type { Inventory } from '../../shard/inventory.ts';
import type { CallKind, MachineRecord, OperationKind, Refusal } from '../../shard/record.ts';
import type { ProviderGate } from '../../shard/provider/gate.ts';
import type { Rests } from '../../shard/rests.ts';
import { STEP_OF, nextStep } from './next-step.ts';
import type { BindIntent, Step, UnbindIntent } from './next-step.ts';
import { refusalOf, silenceOf } from './refusal.ts';
import { standstillOf } from './standstill.ts';

/** Where a machine is while nothing has come of the call. */
const BEGINS_IN: Readonly<Record<OperationKind, readonly string[]>> = { Create: ['Speculative'], Configure: ['Idle'], Drain: ['Configured'], Delete: ['Idle', 'Failed'] };
/** The longest pause between two tries of one call. */
const RETRY_MAX_MS = 30_000;
/** What may be refused in passing is tried so often: after so long at first, then twice as long each time. */
const TRIES = 5;
const RETRY_MS = 1_000;
/** A machine whose drain was given up is left in peace for so long; each time twice as long, up to the second. */
const DRAIN_REST_MS = 60_000;
const DRAIN_REST_MAX_MS = 900_000;
/** A call that brought no answer is repeated once as soon as it was looked at; then after so long, and twice as long each time. */
const UNANSWERED_RETRY_MS = 200;
/** What was decided of a machine is given up, for another one, after so many tries without an answer: in about half a minute, if each ends at once. */
const UNANSWERED_TRIES = 8;
/** How long a decision may wait for its Machine object before it is carried out all the same (static stability). */
const WRITE_AHEAD_MS = 1_000;
const BLOB_TIMEOUT_MS = 30_000;
const LEASE_RETRY_MS = 1_000;

/** What the reconciler needs of the rest of the shard; narrow, so that a test can play it. */
export interface MachineReconcilerDeps {
  readonly inventory: Inventory;
  readonly provider: ProviderClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Why nothing is begun at present, in words; '' = it is. */
  readonly inactive: () => string;
  readonly isLeaseProven: () => boolean;
  /** Leave to make one mutating call, and until when it may take effect (D16); rejects when there is none. */
  readonly pass: (signal: AbortSignal) => Promise<{ readonly notAfterMonotonicMs: number }>;
  readonly isConnected: (cluster: string) => boolean;
  readonly hasReported: (cluster: string) => boolean;
  readonly requestBlob: (cluster: string, requirements: readonly Requirement[], signal: AbortSignal, machineId: string) => Promise<Blob>;
  /** A call is sent under that pass; returns what to call once it was answered: without an answer it may take effect until its limit. */
  readonly goesOut: (pass: { readonly notAfterMonotonicMs: number }) => () => void;
  /** False = no session. */
  readonly sendReclaim: (machine: MachineRecord, intent: UnbindIntent) => boolean;
  /** The requirements of the demand that the machine was chosen for, if it is still there. */
  readonly requirementsOf: (to: Assignment) => readonly Requirement[] | undefined;
  /** Resolves when the machine's object says what was decided. */
  readonly written: (id: string, signal: AbortSignal) => Promise<void>;
  /** How long one call may take. */
  readonly deadlineMs: (kind: CallKind) => number;
  /** Where calls to the provider wait for their turn. */
  readonly gate: Pick<ProviderGate, 'run' | 'throttled' | 'answered'>;
  /** Where the machines of one cluster wait to be made ready for it, so that a slow operator holds up no other cluster. */
  readonly inCluster: <T>(cluster: string, run: () => Promise<T>) => Promise<T>;
  /** How long a machine is left alone for everybody's sake after it was refused; by id. */
  readonly machineRests: Pick<Rests, 'failed'>;
  /** How long nothing is made ready for a cluster after its operator could not help; by cluster. */
  readonly clusterRests: Pick<Rests, 'failed' | 'restMs'>;
  readonly onFenced: (machineId: string, message: string) => void;
  /** The provider refused a machine that is meant for some demand; the machine is as it was then. */
  readonly onBindRefused: (machine: MachineRecord, operation: OperationKind, refusal: Pick<Refusal, 'code' | 'words' | 'kind'>) => void;
  /** A call was answered, whatever the answer. */
  readonly onAnswered: (operation: CallKind) => void;
  /** A call brought no answer in time; the machine is as it was then. */
  readonly onUnanswered: (machine: MachineRecord, operation: CallKind, words: string) => void;
  /** A definite no. */
  readonly onFailureClass: (operation: OperationKind, kind: FailureClass) => void;
  /** The provider refused a drain for good, or too often: the machine serves on. */
  readonly onDrainGivenUp: (code: string) => void;
  readonly onOutcome: (kind: OperationKind, outcome: string, seconds: number) => void;
}

/** A bootstrap blob and, if it has a limited life, the monotonic time at which it expires. */
export interface Blob {
  readonly userData: Uint8Array;
  readonly expiresAt: number | undefined;
}

/**
 * Moves one machine one step towards what was decided about it and records what the provider answered. One key per
 * machine, never two at once. Nothing but the provider's state and the Machine object is needed to go on after a restart.
 */
export class MachineReconciler implements Reconciler {
  readonly name = 'machine';
  private readonly deps: MachineReconcilerDeps;

  constructor(deps: MachineReconcilerDeps) {
    this.deps = deps;
  }

  async reconcile(id: string, ctx: ReconcileContext): Promise<Result> {
    const { inventory, clock } = this.deps;
    const machine = inventory.get(id);
    if (!machine) return done;
    // Rested: the engine is to hear of it, since it sees only changes.
    const { coolUntil, drainRefusal } = machine;
    if (coolUntil !== 0 && coolUntil <= clock.now()) inventory.update(id, { coolUntil: 0, ...(!machine.intent && { obstacle: '' }) });
    if (drainRefusal && drainRefusal.until !== 0 && drainRefusal.until <= clock.now()) inventory.update(id, { drainRefusal: { ...drainRefusal, until: 0 } });
    const step = this.stepOf(machine);
    switch (step.do) {
      case 'nothing':
      case 'wait':
        return step.do === 'wait' && step.for === 'lease' ? after(LEASE_RETRY_MS) : this.untilRested(id);
      case 'drop':
        this.drop(id);
        return this.untilRested(id);
      case 'look':
        if (isDoubtOver(machine, clock.monotonic())) inventory.endDoubt(id);
        await this.deps.gate.run('Get', machine.seen.cluster, ctx.signal, () => this.look(id, ctx.signal));
        return this.untilRested(id);
      case 'conclude':
        return this.conclude(id);
      case 'create':
        return this.call(machine, 'Create', (limits) => this.deps.provider.create(id, limits), ctx.signal);
      case 'configure':
        return this.deps.inCluster(step.intent.to.cluster, () => this.configure(machine, step.intent, ctx.signal));
      case 'drain':
        return this.call(machine, 'Drain', (limits) => this.drain(machine, step.intent, limits), ctx.signal);
      case 'delete':
        return this.call(machine, 'Delete', (limits) => this.deps.provider.delete(id, limits), ctx.signal);
      default:
        return assertNever(step);
    }
  }

  /** What is to be told of the machine has changed, while somebody who has its key may be waiting for a turn or an operator. */
  remark(id: string): void {
    const machine = this.deps.inventory.get(id);
    if (machine) this.stepOf(machine);
  }

  private limits(kind: CallKind, signal: AbortSignal): { signal: AbortSignal; timeoutMs: number } {
    return { signal, timeoutMs: this.deps.deadlineMs(kind) };
  }

  /** Where nothing can be begun, people are told why as soon as it is so. */
  private stepOf(machine: MachineRecord): Step {
    const target = machine.intent?.kind === 'bind' ? machine.intent.to.cluster : machine.seen.cluster;
    const inactive = this.deps.inactive();
    const step = nextStep(machine, {
      active: inactive === '',
      leaseProven: this.deps.isLeaseProven(),
      connected: target !== '' && this.deps.isConnected(target),
      demandKnown: target !== '' && this.deps.hasReported(target),
      clusterRests: this.deps.clusterRests.restMs(target) > 0,
      now: this.deps.clock.now(),
      monotonicMs: this.deps.clock.monotonic(),
    });
    // A look at the provider says nothing of whether anything can be begun after it.
    if (step.do !== 'look') this.deps.inventory.standStill(machine.seen.id, standstillOf(step, machine, inactive));
    return step;
  }

  /** One that was to be taken away serves on, and counts again: a pause between two tries to drain it is over as well. */
  private drop(id: string): void {
    const { inventory } = this.deps;
    if (inventory.get(id)?.intent?.kind === 'unbind') inventory.update(id, { coolUntil: 0 });
    inventory.setIntent(id, undefined);
  }

  private untilRested(id: string): Result {
    const machine = this.deps.inventory.get(id);
    const rest = machine?.intent?.kind === 'bind' ? machine.intent.rest : undefined;
    const now = this.deps.clock.now();
    const clusterRest = machine?.intent?.kind === 'bind' ? now + this.deps.clusterRests.restMs(machine.intent.to.cluster) : undefined;
    const { held, inDoubtUntilMonotonicMs } = machine?.operation ?? {};
    const doubt = held && inDoubtUntilMonotonicMs !== undefined ? now + inDoubtUntilMonotonicMs - this.deps.clock.monotonic() : undefined;
    const ends = [machine?.coolUntil, machine?.drainRefusal?.until, machine?.operation?.retryAt, doubt, rest?.until, clusterRest].filter((end) => end !== undefined && end > now) as number[];
    return ends.length === 0 ? done : after(Math.min(...ends) - now);
  }

  private async configure(machine: MachineRecord, intent: BindIntent, signal: AbortSignal): Promise<Result> {
    const { inventory } = this.deps;
    const id = machine.seen.id;
    signal.throwIfAborted();
    // Machines of its cluster were in front of it.
    const now = inventory.get(id);
    if (!now || now.intent !== machine.intent) return done;
    if (this.stepOf(now).do !== 'configure') return this.untilRested(id);
    const [blob] = await Promise.all([this.blobFor(id, intent, signal), this.writeAhead(id, signal)]);
    // Waiting for its object it may have rested long enough: then nothing else would wake it again.
    if (!blob) return { requeueAfterMs: 0, ...this.untilRested(id) };
    const metadata = encodeShardMetadata({
      priority: intent.to.priority,
      interruptionBucket: intent.to.interruptionBucket,
      reclamationBucket: intent.to.reclamationBucket,
      needFingerprint: intent.to.fingerprint,
      group: intent.to.group,
    });
    return this.call(
      machine,
      'Configure',
      (limits) => this.deps.provider.configure({ machineId: id, clusterId: intent.to.cluster, bootstrapBlob: blob.userData, shardMetadata: metadata }, limits),
      signal,
      () => {
        if (blob.expiresAt !== undefined && this.deps.clock.monotonic() >= blob.expiresAt) {
          throw new Error(`bootstrap blob of cluster ${intent.to.cluster} expired before it could be used`);
        }
        inventory.setIntent(id, { ...intent, configureSent: true });
      },
    );
  }

  /** Undefined: the operator cannot make one, and nothing is asked of it for a while. */
  private async blobFor(id: string, intent: BindIntent, signal: AbortSignal): Promise<Blob | undefined> {
    const { inventory, clusterRests, log } = this.deps;
    const { cluster } = intent.to;
    const limit = deadline(this.deps.clock, BLOB_TIMEOUT_MS, signal);
    try {
      return await this.deps.requestBlob(cluster, this.deps.requirementsOf(intent.to) ?? intent.requirements, limit.signal, id);
    } catch (error) {
      if (signal.aborted) throw error;
      const words = error instanceof Error ? error.message : String(error);
      // Gone with its session: it comes back with the next one, and is no word on what this operator can do.
      const isGone = error instanceof GrpcError && error.code === GrpcCode.UNAVAILABLE;
      if (!isGone) log.warn({ machine: id, cluster, error: words, restMs: clusterRests.failed(cluster) }, 'no bootstrap blob: the machine stays as it is, and nothing is made ready for the cluster for a while');
      // The machine counts for its demand meanwhile, so somebody has to be told why it does not come; of a session that is gone it is said by itself.
      if (!isGone && inventory.get(id)?.intent === intent) inventory.update(id, { obstacle: words });
      if (isGone) throw error;
      return undefined;
    } finally {
      limit.clear();
    }
  }

  private drain(machine: MachineRecord, intent: UnbindIntent, limits: MutationLimits): Promise<Acknowledgement> {
    const machineId = machine.seen.id;
    if (this.deps.sendReclaim(machine, intent)) {
      if (!intent.isTold) this.deps.inventory.setIntent(machineId, { ...intent, isTold: true });
    } else {
      this.deps.log.warn({ machine: machineId, cluster: machine.seen.cluster }, 'draining without the operator: Pods are not evicted through their budgets');
    }
    return this.deps.provider.drain({ machineId, gracePeriodSeconds: intent.graceSeconds }, limits);
  }

  /**
   * One mutating provider call: marks the machine busy, merges the answer, sorts the failures. Waiting for the object, the
   * operator, a slot and a look at the Lease takes time in which the decision may be withdrawn, the mode changed or the
   * Lease lost, so all of that is looked at again; `prepare` runs right before the call.
   */
  private async call(
    machine: MachineRecord,
    kind: OperationKind,
    send: (limits: MutationLimits) => Promise<Acknowledgement>,
    signal: AbortSignal,
    prepare: () => void = () => undefined,
  ): Promise<Result> {
    const { inventory, clock } = this.deps;
    const id = machine.seen.id;
    const cluster = machine.intent?.kind === 'bind' ? machine.intent.to.cluster : machine.seen.cluster;
    // Not in its turn: who waits for the API server must not keep others from the provider. A Configure waited beside its blob.
    if (kind !== 'Configure') await this.writeAhead(id, signal);
    return this.deps.gate.run(kind, cluster, signal, async () => {
      const pass = await this.deps.pass(signal);
      const now = inventory.get(id);
      if (!now || now.intent !== machine.intent) return done; // whoever changed it has woken us
      const step = this.stepOf(now);
      if (step.do === 'drop') this.drop(id);
      if (step.do !== STEP_OF[kind]) return step.do === 'wait' && step.for === 'lease' ? after(LEASE_RETRY_MS) : this.untilRested(id);
      const last = now.operation?.kind === kind ? now.operation : undefined;
      const attempts = (last?.attempts ?? 0) + 1;
      prepare();
      const startedAt = clock.now();
      const startedMono = clock.monotonic();
      inventory.begin(id, {
        kind, operationId: '', startedAt, attempts, lastError: '',
        ...(last?.refusals !== undefined && { refusals: last.refusals }), ...(last?.inDoubtUntilMonotonicMs !== undefined && { inDoubtUntilMonotonicMs: last.inDoubtUntilMonotonicMs }),
      });
      const answered = this.deps.goesOut(pass);
      try {
        const ack = await send({ ...this.limits(kind, signal), ...pass, onSequence: (sequence) => inventory.sent(id, sequence) });
        answered();
        // Accepted, and nothing has begun: not asked again at once, as long as it goes on like that.
        const again = ack.machine?.state === now.seen.state ? clock.now() + this.jittered(Math.min(RETRY_MAX_MS, UNANSWERED_RETRY_MS * 2 ** (attempts - 1))) : undefined;
        if (ack.machine) inventory.end(id, { seen: ack.machine, operationId: ack.operationId, ...(again !== undefined && { retryAt: again }) });
        // Accepted, but the record that came with it is unusable: the next look may bring a better one.
        else inventory.end(id, { error: ack.rejected ? `${ack.rejected.field} ${ack.rejected.text}` : 'the answer names no machine', recheck: true });
        this.deps.gate.answered();
        this.deps.onAnswered(kind);
        this.deps.onOutcome(kind, 'success', (clock.monotonic() - startedMono) / 1000);
        return again === undefined ? done : this.untilRested(id);
      } catch (error) {
        if (error instanceof ProviderError && !error.isAmbiguous) answered();
        try {
          return this.failed(id, kind, error, { seconds: (clock.monotonic() - startedMono) / 1000, notAfterMonotonicMs: pass.notAfterMonotonicMs });
        } finally {
          if (!signal.aborted) this.hear(id, kind, error);
        }
      }
    });
  }

  /**
   * An ambiguous failure (deadline, connection) may have happened all the same: look before repeating. A definite refusal is
   * the verdict, unless a try before it was ambiguous: that one may still arrive, and neither that a later try was refused nor
   * that it has not arrived yet tells what becomes of it (ADR-0051). Throws to be retried with backoff.
   */
  private failed(id: string, kind: OperationKind, error: unknown, { seconds, notAfterMonotonicMs }: { readonly seconds: number; readonly notAfterMonotonicMs: number }): Result {
    const { inventory, clock } = this.deps;
    const message = error instanceof Error ? error.message : String(error);
    if (error instanceof ProviderError && error.code === 'Late') return this.late(id, kind, message, seconds);
    const refusal = refusalOf(error, kind);
    const isFenced = error instanceof ProviderError && error.code === 'Fenced';
    if (refusal && !isFenced) this.deps.onFailureClass(kind, refusal.kind);
    if (refusal?.kind === 'Throttled') return this.throttled(id, kind, message, seconds);
    const operation = inventory.get(id)?.operation;
    const attempts = operation?.attempts ?? 1;
    const retryMs = refusal || attempts === 1 ? 0 : this.jittered(Math.min(RETRY_MAX_MS, UNANSWERED_RETRY_MS * 2 ** (attempts - 2)));
    const isAmbiguous = !refusal || (error instanceof ProviderError && error.isAmbiguous);
    const verdict = refusal ?? (attempts >= UNANSWERED_TRIES ? silenceOf(error, kind) : undefined);
    const isHeld = verdict !== undefined && !isFenced && (isAmbiguous || operation?.inDoubtUntilMonotonicMs !== undefined);
    inventory.end(id, {
      error: `${kind.toLowerCase()}: ${message}`, recheck: true, isRefusal: refusal !== undefined,
      ...(retryMs > 0 && { retryAt: clock.now() + retryMs }),
      // Whoever answers with a code that says nothing has answered: to look once is enough.
      ...(!refusal && { inDoubtUntilMonotonicMs: Math.max(operation?.inDoubtUntilMonotonicMs ?? 0, notAfterMonotonicMs) }),
      ...(isHeld && { held: verdict }),
    });
    if (!refusal && attempts > 1) this.tellUnanswered(id);
    this.deps.onOutcome(kind, error instanceof ProviderError ? outcomeLabel(error.code) : 'other', seconds);
    if (isFenced) {
      // What was refused has not begun: it may be decided anew, elsewhere.
      const intent = inventory.get(id)?.intent;
      if (kind === 'Configure' && intent?.kind === 'bind' && operation?.inDoubtUntilMonotonicMs === undefined) inventory.setIntent(id, { ...intent, configureSent: false });
      this.deps.onFenced(id, message);
      return done;
    }
    if (!verdict) throw error;
    if (!isHeld) return this.refused(id, kind, verdict);
    this.deps.log.warn({ machine: id, operation: kind, attempts, error: message }, 'no answer to rely on: the machine is looked at, once no try can take effect any more, before it is given up');
    return this.untilRested(id);
  }

  /** The machine is as it was before the first try, and no try can change that any more. */
  private conclude(id: string): Result {
    const kind = this.deps.inventory.get(id)?.operation?.kind;
    const refusal = this.deps.inventory.takeHeld(id);
    return kind && refusal ? this.refused(id, kind, refusal) : done;
  }

  /** Ends the decision and rests the machine, so that the next plan chooses another one; some refusals are worth a few tries before. */
  private refused(id: string, kind: OperationKind, refusal: Refusal): Result {
    const { inventory, clock } = this.deps;
    const machine = inventory.get(id);
    if (machine?.intent?.kind === 'unbind' && kind === 'Drain' && !refusal.isGone) return this.drainRefused(machine, machine.intent, refusal);
    if (machine?.intent?.kind === 'bind') {
      this.deps.onBindRefused(machine, kind, refusal);
      if (refusal.isOfRequest && (machine.intent.rest?.refusals ?? 0) + 1 < TRIES) return this.requestRefused(id, machine.intent, refusal);
    }
    const restMs = this.deps.machineRests.failed(id);
    const rested = inventory.get(id);
    if (rested?.intent && (rested.intent.kind !== 'bind' || kind === rested.operation?.kind)) inventory.setIntent(id, undefined);
    inventory.update(id, { coolUntil: Math.max(rested?.coolUntil ?? 0, clock.now() + restMs), obstacle: refusal.words });
    this.deps.log.warn({ machine: id, operation: kind, class: refusal.kind, error: refusal.words, restMs }, 'the provider refused: decision dropped, machine rests');
    return this.untilRested(id);
  }

  /** Whether the failure is an answer; one that never reached the provider is neither. */
  private hear(id: string, kind: CallKind, error: unknown): void {
    if (!(error instanceof ProviderError)) return;
    if (!error.isAmbiguous) return this.deps.onAnswered(kind);
    const machine = this.deps.inventory.get(id);
    if (error.code === 'Deadline' && machine) this.deps.onUnanswered(machine, kind, `${kind.toLowerCase()}: ${error.message}`);
  }

  /** Nothing is wrong with the machine or with what was decided: all calls of this provider slow down, and this one is made again. */
  private throttled(id: string, kind: OperationKind, message: string, seconds: number): Result {
    const restMs = this.deps.gate.throttled();
    this.deps.onOutcome(kind, 'throttled', seconds);
    this.deps.log.warn({ machine: id, operation: kind, error: message, restMs }, 'the provider is asked too much: nothing new is sent to it for a moment');
    return this.again(id, kind, message, restMs);
  }

  /** This process or the way to the provider stood still: nothing has happened, and what is still right is asked for anew. */
  private late(id: string, kind: OperationKind, message: string, seconds: number): Result {
    this.deps.onOutcome(kind, 'late', seconds);
    this.deps.log.warn({ machine: id, operation: kind, error: message }, 'the provider refused a call that came too late: it is made anew');
    return this.again(id, kind, message, this.jittered(RETRY_MS));
  }

  /** The same is tried after a pause. Nothing has come of this try; if surely of none, something else may be decided meanwhile. */
  private again(id: string, kind: OperationKind, message: string, pauseMs: number): Result {
    const { inventory, clock } = this.deps;
    const until = clock.now() + pauseMs;
    const isInDoubt = inventory.get(id)?.operation?.inDoubtUntilMonotonicMs !== undefined;
    inventory.end(id, { error: `${kind.toLowerCase()}: ${message}`, recheck: isInDoubt, retryAt: until });
    const intent = inventory.get(id)?.intent;
    if (kind === 'Configure' && intent?.kind === 'bind' && !isInDoubt) inventory.setIntent(id, { ...intent, configureSent: false, rest: { refusals: intent.rest?.refusals ?? 0, until } });
    return after(pauseMs);
  }

  /**
   * Once an operator was told, its Node is cordoned and being emptied: half taken away it would serve nobody and count as
   * capacity, so it is tried again. But not for ever: a machine that cannot be drained goes on serving, and the operator
   * hears that it stays.
   */
  private drainRefused({ seen: { id }, operation, drainRefusal }: MachineRecord, { isTold }: UnbindIntent, { code, words, isFinal }: Refusal): Result {
    const { inventory, clock, log } = this.deps;
    const refusals = operation?.refusals ?? 1;
    if (isTold && !isFinal && refusals < TRIES) {
      const pauseMs = this.pause(refusals);
      inventory.update(id, { coolUntil: clock.now() + pauseMs, obstacle: words });
      log.warn({ machine: id, error: words, retryMs: pauseMs }, 'the provider refused to drain a machine that is being emptied: trying again');
      return after(pauseMs);
    }
    const spells = (drainRefusal?.spells ?? 0) + 1;
    const restMs = this.jittered(Math.min(DRAIN_REST_MAX_MS, DRAIN_REST_MS * 2 ** (spells - 1)));
    // First the rest: whoever hears that nothing is decided any more must not decide the same again.
    inventory.update(id, { drainRefusal: { words, code, until: clock.now() + restMs, spells } });
    inventory.setIntent(id, undefined);
    this.deps.onDrainGivenUp(code);
    log.warn({ machine: id, error: words, tries: refusals, restMs }, 'the provider refuses to drain the machine: it serves on, and is not taken away for a while');
    return after(restMs);
  }

  /**
   * Another machine would be refused as well, and would rest for other clusters' sake without a reason. So this one is kept
   * for its demand and tried again with a fresh blob; all others stay free.
   */
  private requestRefused(id: string, intent: BindIntent, { words }: Refusal): Result {
    const { inventory, clock, log } = this.deps;
    const refusals = (intent.rest?.refusals ?? 0) + 1;
    const pauseMs = this.pause(refusals);
    inventory.setIntent(id, { ...intent, configureSent: false, rest: { refusals, until: clock.now() + pauseMs } });
    inventory.update(id, { obstacle: words });
    log.warn({ machine: id, cluster: intent.to.cluster, error: words, retryMs: pauseMs }, 'the provider refused what it was to configure: trying again with a fresh blob');
    return after(pauseMs);
  }

  private pause(refusals: number): number {
    return this.jittered(Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** (refusals - 1)));
  }

  /** A quarter more or less, so that what was refused together is not tried together. */
  private jittered(ms: number): number {
    return Math.round(ms * (0.75 + this.deps.random() / 2));
  }

  private async look(id: string, signal: AbortSignal): Promise<void> {
    const { inventory, provider } = this.deps;
    const mark = inventory.mark();
    try {
      const answer = await provider.get(id, this.limits('Get', signal));
      this.deps.onAnswered('Get');
      // Gone to another shard, or from the List, while we asked: it must not come back by our answer.
      if (!inventory.get(id)) return;
      if ('machine' in answer) inventory.observe(answer.machine, mark);
      else inventory.forgetRecheck(id);
    } catch (error) {
      if (!signal.aborted) this.hear(id, 'Get', error);
      if (!signal.aborted && !(error instanceof ProviderError && error.code === 'NotFound')) this.tellUnanswered(id);
      if (!(error instanceof ProviderError) || error.code !== 'NotFound') throw error;
      // The List decides about removal: one answer is not enough.
      inventory.forgetRecheck(id);
    }
  }

  /** Somebody counts on the machine: one try without an answer is made again at once, but from the next one on he is to know. */
  private tellUnanswered(id: string): void {
    const { operation, intent, seen } = this.deps.inventory.get(id) ?? {};
    // One that a List has seen in transition meanwhile is on its way.
    if (intent && operation && operation.lastError !== '' && seen && BEGINS_IN[operation.kind].includes(seen.state)) this.deps.inventory.update(id, { obstacle: operation.lastError });
  }

  private async writeAhead(id: string, signal: AbortSignal): Promise<void> {
    const limit = deadline(this.deps.clock, WRITE_AHEAD_MS, signal);
    try {
      await this.deps.written(id, limit.signal);
    } catch (error) {
      if (signal.aborted) throw error;
    } finally {
      limit.clear();
    }
  }
}

/** For what was refused: nothing that was tried can take effect from now on. */
function isDoubtOver({ operation }: MachineRecord, monotonicMs: number): boolean {
  return operation?.held !== undefined && operation.inDoubtUntilMonotonicMs !== undefined && operation.inDoubtUntilMonotonicMs <= monotonicMs;
}

function outcomeLabel(code: ProviderError['code']): string {
  switch (code) {
    case 'Fenced':
      return 'fenced';
    case 'Late':
      return 'late';
    case 'Deadline':
      return 'ctx_canceled';
    case 'NotFound':
      return 'inventory_miss';
    case 'NotSupported':
    case 'Unavailable':
    case 'InvalidArgument':
    case 'Rejected':
      return 'provider_error';
  }
}
