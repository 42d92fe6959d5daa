/** A Pod as an API server shows it, reduced to what is judged. */
export interface SeenPod {
  readonly cluster: string;
  readonly name: string;
  readonly uid: string;
  /** Empty while it waits. */
  readonly node: string;
  /** Unix ms, whole seconds. */
  readonly createdAt: number;
  readonly deleting: boolean;
}

/** A Pod that went without its workload having ended it. */
export interface LostPod {
  readonly cluster: string;
  readonly name: string;
  readonly node: string;
  readonly boundAt: number;
  /** When it was told to go, or if it never was, when it was seen to be gone (Unix ms). */
  readonly wentAt: number;
}

export interface PodLife {
  readonly cluster: string;
  readonly node: string;
  readonly createdAt: number;
  boundAt: number;
}

interface Live extends SeenPod {
  readonly dyingSince: number | undefined;
}

/** The Pods of all clusters: who was bound where and when, who went, and whether any uid was bound twice. */
export class PodLedger {
  private readonly live = new Map<string, Live>();
  private readonly lives = new Map<string, PodLife>();
  private readonly lost: LostPod[] = [];
  private readonly submittedAt = new Map<string, number>();
  private readonly boundAt = new Map<string, number>();
  private readonly finished = new Set<string>();
  private alive = 0;
  private aliveMax = 0;
  private doubleBoundCount = 0;

  get aliveNow(): number {
    return this.alive;
  }

  get alivePeak(): number {
    return this.aliveMax;
  }

  get doubleBound(): number {
    return this.doubleBoundCount;
  }

  waiting(): SeenPod[] {
    return [...this.live.values()].filter((pod) => pod.node === '');
  }

  seen(pod: SeenPod, now: number): void {
    const before = this.live.get(pod.uid);
    const dyingSince = pod.deleting ? (before?.dyingSince ?? now) : undefined;
    this.live.set(pod.uid, { ...pod, dyingSince });
    if (pod.node === '' || before?.node === pod.node) return;
    if (before && before.node !== '') {
      this.doubleBoundCount++;
      return;
    }
    this.alive++;
    this.aliveMax = Math.max(this.aliveMax, this.alive);
    const name = nameOf(pod);
    if (!this.lives.has(name)) this.lives.set(name, { cluster: pod.cluster, node: pod.node, createdAt: pod.createdAt, boundAt: now });
  }

  gone(uid: string, now: number): void {
    const pod = this.live.get(uid);
    if (!pod) return;
    this.live.delete(uid);
    if (pod.node === '') return; // nobody takes a Pod away that is nowhere
    this.alive--;
    const boundAt = this.lives.get(nameOf(pod))?.boundAt ?? now;
    this.lost.push({ cluster: pod.cluster, name: pod.name, node: pod.node, boundAt, wentAt: pod.dyingSince ?? now });
  }

  /** From the workload's own record: when it submitted a Pod, and which it ended itself. */
  submitted(cluster: string, name: string, at: number): void {
    this.submittedAt.set(`${cluster}/${name}`, at);
  }

  /** When the workload saw its Pod bound. A life may begin and end while nobody here watches: the API servers may be away. */
  bound(cluster: string, name: string, at: number): void {
    this.boundAt.set(`${cluster}/${name}`, at);
  }

  ended(cluster: string, name: string): void {
    this.finished.add(`${cluster}/${name}`);
  }

  /** Pods that went and were not ended by their workload: evicted, or lost with their Node. */
  lostPods(): LostPod[] {
    return this.lost.filter((pod) => !this.finished.has(nameOf(pod)));
  }

  /**
   * Every bound life, with the exact time of its submission where the workload's record has it; one that only the workload has
   * seen is on no Node that is known here. A Pod that was evicted and replaced has several.
   */
  *boundLives(): Iterable<PodLife & { readonly submittedAt: number }> {
    for (const [name, life] of this.lives) yield { ...life, submittedAt: this.submittedAt.get(name) ?? life.createdAt };
    for (const [name, boundAt] of this.boundAt) {
      const submittedAt = this.submittedAt.get(name) ?? boundAt;
      if (!this.lives.has(name)) yield { cluster: name.slice(0, name.indexOf('/')), node: '', createdAt: submittedAt, boundAt, submittedAt };
    }
  }
}

function nameOf(pod: { readonly cluster: string; readonly name: string }): string {
  return `${pod.cluster}/${pod.name}`;
}
