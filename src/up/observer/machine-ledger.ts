import type { SeedInstance } from '../../world/seed-instance.ts';

const BOUND = new Set(['Configuring', 'Configured', 'Draining']);
const FREE = new Set(['Speculative', 'Failed']);
const MS_PER_HOUR = 3_600_000;

interface Entry {
  state: string;
  readonly instanceType: string;
  readonly elastic: boolean;
  microUsdPerHour: number;
}

/** The machines as the provider's own log tells of them: states, calls, cost. Nothing here comes from the shard. */
export class MachineLedger {
  private readonly entries = new Map<string, Entry>();
  private readonly boundByType = new Map<string, { now: number; peak: number }>();
  /** Times of accepted Configure calls by machine and cluster: each begins a life of the machine in the cluster. */
  private readonly configures = new Map<string, number[]>();
  private readonly configuredAt = new Map<string, number>();
  private readonly interruptedAt = new Map<string, number[]>();
  private readonly calls = new Map<string, Map<string, number>>();
  private rate = 0;
  private peakRate = 0;
  private spent = 0;
  private accountedTo: number | undefined;
  private bound = 0;
  private boundMax = 0;

  constructor(seeds: readonly SeedInstance[]) {
    for (const seed of seeds) {
      const microUsdPerHour = Math.round(seed.pricePerHour * 1_000_000);
      this.entries.set(seed.id, { state: seed.state, instanceType: seed.instanceType, elastic: seed.capacityType !== 'BareMetal', microUsdPerHour });
      if (!FREE.has(seed.state)) this.rate += microUsdPerHour;
    }
    this.peakRate = this.rate;
  }

  get known(): number {
    return this.entries.size;
  }

  get boundNow(): number {
    return this.bound;
  }

  get boundPeak(): number {
    return this.boundMax;
  }

  /** Machines that cost money only while they are held, and are held by nobody's need: created, not bound. */
  get elasticIdle(): number {
    let count = 0;
    for (const entry of this.entries.values()) if (entry.elastic && !FREE.has(entry.state) && !BOUND.has(entry.state)) count++;
    return count;
  }

  get microUsdPerHour(): number {
    return this.rate;
  }

  get peakMicroUsdPerHour(): number {
    return this.peakRate;
  }

  boundPeakByType(): Record<string, { boundPeak: number }> {
    return Object.fromEntries([...this.boundByType].sort(([a], [b]) => (a < b ? -1 : 1)).map(([type, { peak }]) => [type, { boundPeak: peak }]));
  }

  providerCalls(): Record<string, Record<string, number>> {
    return Object.fromEntries([...this.calls].map(([rpc, outcomes]) => [rpc, Object.fromEntries(outcomes)]));
  }

  /** From here on money is counted. */
  startAccount(now: number): void {
    this.accountedTo = now;
  }

  spentMicroUsd(now: number): number {
    this.account(now);
    return Math.round(this.spent);
  }

  /** When the machine was last configured for this cluster; undefined if the log does not know. */
  lastConfigured(machine: string, cluster: string): number | undefined {
    return this.configuredAt.get(`${machine} ${cluster}`);
  }

  /** Whether the log knows of a Configure of this machine for this cluster. */
  wasConfigured(machine: string, cluster: string): boolean {
    return this.configures.has(`${machine} ${cluster}`);
  }

  /** When the machine was given to the cluster for the life it led there at `at`; undefined if the log knows of none. */
  givenBefore(machine: string, cluster: string, at: number): number | undefined {
    return this.configures.get(`${machine} ${cluster}`)?.findLast((time) => time <= at);
  }

  interruptions(machine: string): readonly number[] {
    return this.interruptedAt.get(machine) ?? [];
  }

  /** One line of the operation log. */
  take(line: unknown): void {
    const event = line as Readonly<Record<string, unknown>>;
    const at = Number(event['t']);
    const machine = String(event['machineId']);
    const cluster = String(event['clusterId'] ?? '');
    if (event['event'] === 'call') this.call(at, String(event['rpc']), String(event['outcome']), machine, cluster);
    else if (event['event'] === 'state') this.changed(at, machine, cluster, event);
  }

  private call(at: number, rpc: string, outcome: string, machine: string, cluster: string): void {
    const outcomes = this.calls.get(rpc) ?? new Map<string, number>();
    this.calls.set(rpc, outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1));
    if (rpc !== 'Configure' || outcome !== 'OK') return;
    const key = `${machine} ${cluster}`;
    this.configures.set(key, [...(this.configures.get(key) ?? []), at]);
  }

  private changed(at: number, machine: string, cluster: string, event: Readonly<Record<string, unknown>>): void {
    const to = String(event['to']);
    const entry = this.entries.get(machine) ?? {
      state: 'Speculative', instanceType: String(event['instanceType']), elastic: event['capacityType'] !== 'BareMetal', microUsdPerHour: Number(event['priceMicroUsdPerHour'] ?? 0),
    };
    this.entries.set(machine, entry);
    this.account(at);
    this.rate += (FREE.has(to) ? 0 : entry.microUsdPerHour) - (FREE.has(entry.state) ? 0 : entry.microUsdPerHour);
    this.peakRate = Math.max(this.peakRate, this.rate);
    this.countBound(entry.instanceType, Number(BOUND.has(to)) - Number(BOUND.has(entry.state)));
    entry.state = to;
    if (to === 'Configured') this.configuredAt.set(`${machine} ${cluster}`, at);
    if (event['cause'] === 'interrupt') this.interruptedAt.set(machine, [...this.interruptions(machine), at]);
  }

  private countBound(type: string, by: number): void {
    if (by === 0) return;
    this.bound += by;
    this.boundMax = Math.max(this.boundMax, this.bound);
    const ofType = this.boundByType.get(type) ?? { now: 0, peak: 0 };
    ofType.now += by;
    ofType.peak = Math.max(ofType.peak, ofType.now);
    this.boundByType.set(type, ofType);
  }

  private account(now: number): void {
    if (this.accountedTo === undefined || now <= this.accountedTo) return;
    this.spent += (this.rate * (now - this.accountedTo)) / MS_PER_HOUR;
    this.accountedTo = now;
  }
}
