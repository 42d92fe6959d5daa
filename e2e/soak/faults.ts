import type { Part } from '../rig/part.ts';
import type { Rig } from '../rig/rig.ts';
import { faultKinds } from './plan.ts';
import type { Fault, FaultKind } from './plan.ts';

const LOOK_MS = 500;

/** Lets the faults of a plan happen to a rig, and does what a kubelet does: a process that ended is started again. */
export class Faults {
  /** How often each happened. What it was meant for may be down already: then it does not. */
  readonly happened = new Map<FaultKind, number>(faultKinds.map((kind) => [kind, 0]));
  /** Processes that ended without having been killed, with their last words: an operator that could not renew its Lease ends by itself. */
  readonly endedAlone: string[] = [];
  private readonly rig: Rig;
  private readonly parts: readonly Part[];
  private readonly down = new Set<Part>();
  private readonly paused = new Set<string>();
  private readonly watch: NodeJS.Timeout;

  constructor(rig: Rig, parts: readonly Part[]) {
    this.rig = rig;
    this.parts = parts;
    this.watch = setInterval(() => this.restart(), LOOK_MS);
    this.watch.unref();
  }

  /** Resolves when it is over: what was killed is started again, what was paused goes on. */
  async strike(fault: Fault): Promise<void> {
    if (await this.hit(fault)) this.happened.set(fault.kind, this.happened.get(fault.kind)! + 1);
  }

  /** No process is watched from here on; all run. */
  end(): void {
    clearInterval(this.watch);
    this.restart();
  }

  private async hit({ kind, cluster, lastsMs }: Fault): Promise<boolean> {
    const { rig } = this;
    const site = rig.sites.clusters[cluster]!;
    switch (kind) {
      case 'operator killed': return this.kill(rig.agents.get(site.id), lastsMs);
      case 'provider killed': return this.kill(rig.provider, lastsMs);
      case 'shard killed': return this.kill(await this.leading(), lastsMs);
      case 'standby killed': {
        const leading = await this.leading();
        return leading !== undefined && this.kill(rig.replicas.find(({ part }) => part !== leading)?.part, lastsMs);
      }
      case 'sessions dropped': return rig.dropSessions() > 0;
      case 'cluster server paused': return this.pause(site.id, lastsMs);
      case 'hub server paused': return this.pause(rig.sites.hub.id, lastsMs);
    }
  }

  private async leading(): Promise<Part | undefined> {
    return this.rig.leader().then(({ part }) => part, () => undefined);
  }

  private async kill(part: Part | undefined, downMs: number): Promise<boolean> {
    if (!part?.runs || this.down.has(part)) return false;
    this.down.add(part);
    await part.kill();
    await sleep(downMs);
    part.start();
    this.down.delete(part);
    return true;
  }

  private async pause(id: string, ms: number): Promise<boolean> {
    if (this.paused.has(id)) return false;
    this.paused.add(id);
    this.rig.sites.pauseServer(id);
    try {
      await sleep(ms);
    } finally {
      this.rig.sites.resumeServer(id);
      this.paused.delete(id);
    }
    return true;
  }

  private restart(): void {
    for (const part of this.parts) {
      if (part.runs || this.down.has(part)) continue;
      this.endedAlone.push(part.lastWords());
      part.start();
    }
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
