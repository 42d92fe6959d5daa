import type { Pod } from '../../api/core.ts';
import { PodResource, PriorityClassResource } from '../../api/resources.ts';
import type { EmbeddedStore } from '../../embedded/api.ts';
import { StatusError } from '../../embedded/status-error.ts';
import type { Clock } from '../../lib/clock.ts';
import { DEMO_NAMESPACE } from '../labels.ts';
import { record, replay } from './lives.ts';
import type { DemandState, Life } from './lives.ts';
import type { DemandPlan, PlannedInterruption, PlannedPod } from './plan.ts';
import { podManifest, podName, priorityClass } from './pod-manifest.ts';
import type { DemandEvent, StateLog } from './state-log.ts';

export interface DemandCounts {
  readonly planned: number;
  readonly submitted: number;
  /** Planned Pods that have been bound at least once. */
  readonly bound: number;
  /** Including the refused: nothing more will happen to them. */
  readonly finished: number;
  /** Pods that the API server will never take; people are told of each. */
  readonly refused: number;
  /** Pods that replaced one which was evicted or lost. */
  readonly recreated: number;
}

export interface GeneratorOptions {
  readonly plan: DemandPlan;
  readonly stores: ReadonlyMap<string, EmbeddedStore>;
  readonly log: StateLog;
  readonly clock: Clock;
  /** Takes machines away as a cloud would; resolves to their ids. Rejections are tried again. */
  readonly interrupt: (request: PlannedInterruption) => Promise<readonly string[]>;
  /** For people: what happens now and why. */
  readonly tell: (event: Readonly<Record<string, unknown>>) => void;
}

const STEPS_AT_ONCE = 50;
const RETRY_MS = 500;

/**
 * Submits the planned Pods, ends their lives, replaces those that were evicted or lost with the rest of their life, as a
 * Job controller would. All of its state is in its log and in the clusters, so a new process goes on where one was killed.
 */
export class Generator {
  private readonly options: GeneratorOptions;
  private readonly state: DemandState;
  /** `cluster/pod name` of every Pod that should exist now. */
  private readonly live = new Map<string, number>();
  private readonly endings = new Map<number, () => void>();
  /** When a Pod that goes before its time was told to. */
  private readonly dyingSince = new Map<number, number>();
  private readonly stops: (() => void)[] = [];
  private nextStep = 0;
  private closed = false;

  constructor(options: GeneratorOptions) {
    this.options = options;
    this.state = replay(options.plan, options.log.history);
    for (const [i, life] of this.state.lives) {
      if (life.state === 'submitted' || life.state === 'bound') this.live.set(this.keyOf(i, life.r), i);
    }
  }

  get started(): boolean {
    return this.state.startedAt !== undefined;
  }

  counts(): DemandCounts {
    const counts = { planned: this.state.lives.size, submitted: 0, bound: 0, finished: 0, refused: 0, recreated: this.state.recreated };
    for (const life of this.state.lives.values()) {
      if (isSubmitted(life)) counts.submitted++;
      if (life.everBound) counts.bound++;
      if (life.state === 'finished') counts.finished++;
      if (life.refused) counts.refused++;
    }
    return counts;
  }

  /** Begins, or goes on if the log says that it has begun. */
  start(): void {
    if (!this.started) this.write({ t: this.options.clock.now(), e: 'start' });
    for (const [cluster, store] of this.options.stores) {
      this.ensurePriorityClasses(store);
      this.stops.push(
        store.watch<Pod>(PodResource, (event) => {
          if (event.type === 'deleted') this.podGone(cluster, event.old);
          else this.podChanged(cluster, event.object);
        }),
      );
    }
    for (const [i, life] of this.state.lives) if (isSubmitted(life)) this.resume(i, life);
    this.takeSteps();
  }

  close(): void {
    this.closed = true;
    for (const stop of this.stops) stop();
    for (const cancel of this.endings.values()) cancel();
    this.options.log.close();
  }

  /** Brings one planned Pod and the cluster together after a restart. */
  private resume(i: number, life: Life): void {
    const planned = this.podStep(i);
    const present = this.storeOf(planned).get<Pod>(PodResource, { namespace: DEMO_NAMESPACE, name: podName(planned, life.r) });
    if (life.state === 'finished') {
      // Killed between the log's line and the deletion.
      if (present && !present.metadata.deletionTimestamp) this.remove(planned, life.r);
    } else if (life.state === 'planned') {
      this.submit(i, life.r); // killed between a loss and its replacement
    } else if (!present) {
      if (life.state === 'submitted') this.submit(i, life.r);
      else this.replace(i, life, this.state.lastAt);
    }
  }

  private takeSteps(): void {
    if (this.closed) return;
    const { plan, clock } = this.options;
    const started = this.state.startedAt ?? clock.now();
    for (let taken = 0; this.nextStep < plan.steps.length; taken++) {
      const step = plan.steps[this.nextStep];
      if (!step) return;
      const waitMs = taken >= STEPS_AT_ONCE ? 0 : started + step.atMs - clock.now();
      if (waitMs > 0 || taken >= STEPS_AT_ONCE) {
        clock.after(waitMs, () => this.takeSteps());
        return;
      }
      this.take(this.nextStep++);
    }
  }

  private take(i: number): void {
    const step = this.options.plan.steps[i];
    if (!step || this.state.done.has(i)) return;
    switch (step.kind) {
      case 'pod':
        if (this.state.lives.get(i)?.state === 'planned' && this.state.lives.get(i)?.r === 0) this.submit(i, 0);
        return;
      case 'act':
        this.options.tell({ event: 'act', act: step.act, why: step.why });
        break;
      case 'finish-all':
        for (const [j, life] of this.state.lives) if (life.leftMs === undefined && isSubmitted(life)) this.finish(j, life);
        break;
      case 'interrupt':
        this.interrupt(i, step);
        return;
    }
    this.write({ t: this.options.clock.now(), e: 'step', i });
  }

  private interrupt(i: number, step: PlannedInterruption): void {
    this.options.interrupt(step).then(
      (machines) => {
        if (this.closed) return;
        this.options.tell({ event: 'interrupted', capacityType: step.capacityType, machines });
        this.write({ t: this.options.clock.now(), e: 'step', i });
      },
      () => this.options.clock.after(RETRY_MS, () => this.closed || this.interrupt(i, step)),
    );
  }

  private submit(i: number, r: number): void {
    const planned = this.podStep(i);
    this.write({ t: this.options.clock.now(), e: 'submit', i, r, cluster: planned.cluster, pod: podName(planned, r) });
    this.live.set(this.keyOf(i, r), i);
    const store = this.storeOf(planned);
    try {
      unlessThere(() => store.create(PodResource, podManifest(planned, r)));
    } catch (error) {
      if (!isPermanentRefusal(error)) throw error;
      this.refuse(i, r, error.message);
    }
  }

  /** One Pod that cannot be is no reason to end the world: its life is over before it began, and the others go on. */
  private refuse(i: number, r: number, why: string): void {
    const planned = this.podStep(i);
    const pod = podName(planned, r);
    this.live.delete(this.keyOf(i, r));
    this.write({ t: this.options.clock.now(), e: 'finish', i, r, cluster: planned.cluster, pod, refused: why });
    this.options.tell({ event: 'refused', cluster: planned.cluster, pod, why });
  }

  private ensurePriorityClasses(store: EmbeddedStore): void {
    const values = new Set([...this.state.lives.keys()].map((i) => this.podStep(i).priority));
    for (const value of values) if (value !== 0) unlessThere(() => store.create(PriorityClassResource, priorityClass(value)));
  }

  private podChanged(cluster: string, pod: Pod): void {
    const i = this.live.get(`${cluster}/${pod.metadata.name}`);
    const life = i === undefined ? undefined : this.state.lives.get(i);
    if (i === undefined || !life || pod.metadata.namespace !== DEMO_NAMESPACE) return;
    if (pod.metadata.deletionTimestamp) {
      // The rest of its life goes to the one that replaces it.
      this.cancelEnding(i);
      if (!this.dyingSince.has(i)) this.dyingSince.set(i, this.options.clock.now());
      return;
    }
    if (!pod.spec.nodeName) return;
    if (life.state === 'submitted') this.write({ t: this.options.clock.now(), e: 'bound', i, r: life.r });
    if (life.state !== 'bound' || this.endings.has(i) || life.leftMs === undefined) return;
    const waitMs = Math.max(0, life.boundAt + life.leftMs - this.options.clock.now());
    this.endings.set(i, this.options.clock.after(waitMs, () => this.finish(i, life)));
  }

  private podGone(cluster: string, pod: Pod): void {
    const key = `${cluster}/${pod.metadata.name}`;
    const i = this.live.get(key);
    const life = i === undefined ? undefined : this.state.lives.get(i);
    if (i === undefined || !life || pod.metadata.namespace !== DEMO_NAMESPACE) return;
    this.live.delete(key);
    this.replace(i, life, this.dyingSince.get(i) ?? this.options.clock.now());
  }

  /** The Pod went before its time. */
  private replace(i: number, life: Life, goneAt: number): void {
    this.cancelEnding(i);
    this.dyingSince.delete(i);
    const planned = this.podStep(i);
    this.live.delete(this.keyOf(i, life.r));
    const lived = life.state === 'bound' ? Math.max(0, goneAt - life.boundAt) : 0;
    const leftMs = life.leftMs === undefined ? null : life.leftMs - lived;
    const t = this.options.clock.now();
    if (leftMs !== null && leftMs <= 0) return this.write({ t, e: 'finish', i, r: life.r, cluster: planned.cluster, pod: podName(planned, life.r) });
    this.write({ t, e: 'gone', i, r: life.r, leftMs });
    // Not within the event: a watcher's write is delivered only after it returns.
    this.options.clock.after(0, () => this.closed || life.state !== 'planned' || this.submit(i, life.r));
  }

  private finish(i: number, life: Life): void {
    this.cancelEnding(i);
    if (life.state === 'finished') return;
    this.dyingSince.delete(i);
    const planned = this.podStep(i);
    this.live.delete(this.keyOf(i, life.r));
    this.write({ t: this.options.clock.now(), e: 'finish', i, r: life.r, cluster: planned.cluster, pod: podName(planned, life.r) });
    this.remove(planned, life.r);
  }

  private remove(planned: PlannedPod, r: number): void {
    this.storeOf(planned).delete(PodResource, { namespace: DEMO_NAMESPACE, name: podName(planned, r) });
  }

  private cancelEnding(i: number): void {
    this.endings.get(i)?.();
    this.endings.delete(i);
  }

  private write(event: DemandEvent): void {
    this.options.log.append(event);
    record(this.state, event);
  }

  private podStep(i: number): PlannedPod {
    const step = this.options.plan.steps[i];
    if (step?.kind !== 'pod') throw new Error(`step ${i} is no Pod`);
    return step;
  }

  private storeOf(planned: PlannedPod): EmbeddedStore {
    const store = this.options.stores.get(planned.cluster);
    if (!store) throw new Error(`the plan names cluster ${planned.cluster}; there are ${[...this.options.stores.keys()].join(', ')}`);
    return store;
  }

  private keyOf(i: number, r: number): string {
    const planned = this.podStep(i);
    return `${planned.cluster}/${podName(planned, r)}`;
  }
}

/** Its first Pod has been submitted; it may be between two lives. */
function isSubmitted(life: Life): boolean {
  return life.state !== 'planned' || life.r > 0;
}

/** The same request would fail again, as long as nobody changes it: a 4xx that asks for neither patience nor a new version. */
function isPermanentRefusal(error: unknown): error is StatusError {
  return error instanceof StatusError && error.code >= 400 && error.code < 500 && error.code !== 409 && error.code !== 429;
}

function unlessThere(create: () => unknown): void {
  try {
    create();
  } catch (error) {
    if (!(error instanceof StatusError) || error.reason !== 'AlreadyExists') throw error;
  }
}
