import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { Part } from '../rig/part.ts';

/** What a process held at a moment. */
export interface Sample {
  /** Since the soak began. */
  readonly atMs: number;
  readonly rssMb: number;
  readonly descriptors: number;
  readonly sockets: number;
}

/** One process from its start to its end. */
export interface ProcessLife {
  readonly name: string;
  readonly pid: number;
  readonly samples: Sample[];
}

/** Whom to look at, and in which role: a replica of a shard that leads holds more than one that stands by. */
export interface Watched {
  readonly part: Part;
  readonly role: () => Promise<string>;
}

/** Of every process of BigFleet that ran while it looked, life by life; another role is another life. Linux only: it reads /proc. */
export class Samples {
  readonly lives: ProcessLife[] = [];
  private readonly watched: readonly Watched[];
  private readonly last = new Map<Part, ProcessLife>();
  private looking = false;

  constructor(watched: readonly Watched[]) {
    this.watched = watched;
  }

  async take(now: () => number): Promise<void> {
    if (this.looking) return;
    this.looking = true;
    for (const { part, role } of this.watched) {
      const name = await role();
      const held = part.pid === undefined ? undefined : look(part.pid);
      if (part.pid === undefined || !held) continue; // it has just ended
      let life = this.last.get(part);
      if (life?.pid !== part.pid || life.name !== name) this.lives.push((life = { name, pid: part.pid, samples: [] }));
      this.last.set(part, life);
      life.samples.push({ atMs: now(), ...held });
    }
    this.looking = false;
  }
}

function look(pid: number): Omit<Sample, 'atMs'> | undefined {
  try {
    const rssKb = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    if (rssKb === undefined) return undefined;
    const targets = readdirSync(`/proc/${pid}/fd`).map((fd) => targetOf(`/proc/${pid}/fd/${fd}`));
    return { rssMb: Number(rssKb) / 1_024, descriptors: targets.length, sockets: targets.filter((target) => target.startsWith('socket:')).length };
  } catch {
    return undefined;
  }
}

function targetOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ''; // closed between listing and reading
  }
}
