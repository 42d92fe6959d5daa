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

/** Of every process of BigFleet that ran while it looked, life by life. Linux only: it reads /proc. */
export class Samples {
  readonly lives: ProcessLife[] = [];
  private readonly parts: readonly Part[];

  constructor(parts: readonly Part[]) {
    this.parts = parts;
  }

  take(atMs: number): void {
    for (const { name, pid } of this.parts) {
      if (pid === undefined) continue;
      const held = look(pid);
      if (!held) continue; // it has just ended
      let life = this.lives.find((known) => known.pid === pid && known.name === name);
      if (!life) this.lives.push((life = { name, pid, samples: [] }));
      life.samples.push({ atMs, ...held });
    }
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
