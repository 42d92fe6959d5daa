import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

export interface ProcessUsage {
  readonly name: string;
  readonly peakRssBytes: number;
  readonly cpuSeconds: number;
}

interface Sample {
  readonly rssBytes: number;
  readonly cpuSeconds: number;
}

interface Track {
  peakRssBytes: number;
  /** Of earlier incarnations, and of the present one as last seen. */
  cpuBefore: number;
  cpuNow: number;
  pid: number | undefined;
}

/** Memory and processor time of our processes, sampled once a second; a restarted process keeps its name and its sum. */
export class ResourceUsage {
  private readonly tracks = new Map<string, Track>();
  private peakSum = 0;
  private readonly read: (pids: readonly number[]) => ReadonlyMap<number, Sample>;

  constructor(read: (pids: readonly number[]) => ReadonlyMap<number, Sample> = readSamples) {
    this.read = read;
  }

  /** Maximum of the sums over all processes at one moment. */
  get peakRssBytes(): number {
    return this.peakSum;
  }

  sample(processes: readonly { readonly name: string; readonly pid: number | undefined }[]): void {
    const samples = this.read(processes.flatMap(({ pid }) => (pid === undefined ? [] : [pid])));
    let sum = 0;
    for (const { name, pid } of processes) {
      const sample = pid === undefined ? undefined : samples.get(pid);
      if (pid === undefined || !sample) continue;
      sum += sample.rssBytes;
      const track = this.tracks.get(name) ?? { peakRssBytes: 0, cpuBefore: 0, cpuNow: 0, pid };
      if (track.pid !== pid) Object.assign(track, { pid, cpuBefore: track.cpuBefore + track.cpuNow, cpuNow: 0 });
      track.peakRssBytes = Math.max(track.peakRssBytes, sample.rssBytes);
      track.cpuNow = sample.cpuSeconds;
      this.tracks.set(name, track);
    }
    this.peakSum = Math.max(this.peakSum, sum);
  }

  processes(): ProcessUsage[] {
    return [...this.tracks].map(([name, t]) => ({ name, peakRssBytes: t.peakRssBytes, cpuSeconds: Math.round((t.cpuBefore + t.cpuNow) * 100) / 100 }));
  }
}

/** Clock ticks of /proc; Linux has had 100 a second on every platform we run on. */
const TICKS_PER_SECOND = 100;

function readSamples(pids: readonly number[]): ReadonlyMap<number, Sample> {
  if (pids.length === 0) return new Map();
  return process.platform === 'linux' ? readProc(pids) : readPs(pids);
}

function readProc(pids: readonly number[]): ReadonlyMap<number, Sample> {
  const samples = new Map<number, Sample>();
  for (const pid of pids) {
    try {
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      // The name in the second field may hold anything; what follows its closing bracket is regular.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const ticks = Number(fields[11]) + Number(fields[12]);
      samples.set(pid, { rssBytes: Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024, cpuSeconds: ticks / TICKS_PER_SECOND });
    } catch {
      // It has just ended.
    }
  }
  return samples;
}

function readPs(pids: readonly number[]): ReadonlyMap<number, Sample> {
  const samples = new Map<number, Sample>();
  for (const line of processTable(pids).split('\n')) {
    const [pid, rss, time] = line.trim().split(/\s+/);
    if (pid === undefined || rss === undefined || time === undefined) continue;
    const seconds = time.split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
    samples.set(Number(pid), { rssBytes: Number(rss) * 1024, cpuSeconds: seconds });
  }
  return samples;
}

function processTable(pids: readonly number[]): string {
  try {
    return execFileSync('ps', ['-o', 'pid=,rss=,time=', '-p', pids.join(',')], { encoding: 'utf8' });
  } catch {
    return ''; // none of them is alive
  }
}
