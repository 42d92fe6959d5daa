import type { Timeline } from './timeline.ts';
import type { Ground } from './ground.ts';
import type { Process } from './process.ts';

const REPLACED_MS = 300_000;

export type Deed = 'create' | 'configure' | 'drain' | 'delete' | 'recover';

/** A machine that really is there. */
export interface Host {
  readonly ref: string;
  /** The cluster that it was joined to last and was not taken out of. */
  cluster: string;
  /** Its Node is there and takes Pods. */
  joined: boolean;
  /** Since when it belongs to the cluster. */
  boundAt: number;
  pods: number;
}

export interface Work {
  readonly ms: number;
  /** Fails with these words after that time. */
  readonly failure?: string;
  readonly begin?: () => void;
  readonly effect: () => void;
}

interface UnderWay {
  readonly deed: Deed;
  readonly operationId: string;
  readonly done: Promise<void>;
}

/** The real machines beneath the provider. What was begun here goes on whoever asked for it, and is true whoever forgets it. */
export class Substrate {
  readonly hosts = new Map<string, Host>();
  /** Slots whose host broke away and that were not cleaned up yet: descriptions leave them out. */
  readonly lost = new Set<string>();
  readonly ids: readonly string[];
  private readonly timeline: Timeline;
  private readonly ground: Ground;
  private readonly underWay = new Map<string, UnderWay>();
  private readonly finished = new Map<string, Error | undefined>();
  private hostNumber = 0;

  constructor(timeline: Timeline, ground: Ground, slots: readonly string[], standing: readonly string[]) {
    this.timeline = timeline;
    this.ground = ground;
    this.ids = [...slots, ...standing];
    ground.hosts = this.hosts;
    for (const id of standing) this.build(id);
  }

  /** Does it, unless it was done or begun under the same operation id: then it shares the end of that. */
  async act(process: Process, deed: Deed, id: string, operationId: string, work: Work): Promise<void> {
    const key = `${deed} ${operationId}`;
    const running = this.underWay.get(id);
    if (running && running.operationId === operationId && running.deed === deed) return this.hear(process, running.done);
    if (this.finished.has(key)) return this.hear(process, this.outcome(key));
    if (running && deed === 'recover') {
      await this.hear(process, running.done.catch(() => undefined));
      return this.act(process, deed, id, operationId, work);
    }
    // Nobody there to talk to; the provider learns it this way, or by describing.
    if (this.lost.has(id) && (deed === 'configure' || deed === 'drain')) return this.hear(process, Promise.reject(new Error('the host does not answer')));
    this.ground.began(id, deed, running && `${running.deed} ${running.operationId}`, this.hosts.get(id));
    work.begin?.();
    const done = new Promise<void>((resolve, reject) => {
      this.timeline.after(work.ms, () => {
        this.underWay.delete(id);
        const error = work.failure === undefined ? undefined : new Error(work.failure);
        // A recovery is asked for again and again under one name.
        if (deed !== 'recover') this.finished.set(key, error);
        if (error) return reject(error);
        work.effect();
        this.ground.note(`${id} ${deed} done`);
        resolve();
      });
    });
    done.catch(() => undefined);
    this.underWay.set(id, { deed, operationId, done });
    return this.hear(process, done);
  }

  build(id: string): Host {
    const host: Host = { ref: `host-${id}-${++this.hostNumber}`, cluster: '', joined: false, boundAt: 0, pods: 0 };
    this.hosts.set(id, host);
    this.lost.delete(id);
    return host;
  }

  /** The machine breaks away, with all that was on it. */
  lose(id: string): void {
    this.hosts.delete(id);
    this.lost.add(id);
    // Somebody puts another one there, should the provider never have heard of it.
    this.timeline.after(REPLACED_MS, () => this.lost.delete(id));
  }

  isBusy(id: string): boolean {
    return this.underWay.has(id);
  }

  private outcome(key: string): Promise<void> {
    const error = this.finished.get(key);
    return error ? Promise.reject(error) : Promise.resolve();
  }

  private hear(process: Process, done: Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      done.then(() => process.enter(resolve), (error: Error) => process.enter(() => reject(error)));
    });
  }
}
