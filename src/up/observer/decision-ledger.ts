/** What the shard decided, as its audit log and its Machine objects say: counts, and when a machine was taken from its cluster. */
export class DecisionLedger {
  private readonly kinds = new Map<string, number>();
  private readonly takings = new Map<string, Set<number>>();

  actions(): Record<string, number> {
    return Object.fromEntries([...this.kinds].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** Times (Unix ms) at which it was decided that the machine leaves its cluster. */
  takingsOf(machine: string): Iterable<number> {
    return this.takings.get(machine) ?? [];
  }

  /** One line of the audit log. */
  takeAudit(line: unknown): void {
    const { kind, machine, time, outcome } = line as { kind?: string; machine?: string; time?: string; outcome?: string };
    if (kind === undefined || machine === undefined || outcome !== 'decided') return;
    this.kinds.set(kind, (this.kinds.get(kind) ?? 0) + 1);
    if (kind === 'Reclaim' || kind === 'Preempt' || kind === 'Delete') this.taken(machine, Date.parse(time ?? ''));
  }

  /** spec.unbind or spec.release of a Machine object; `seenAt` stands in where the object carries no time. */
  takeMachine(machine: string, spec: { readonly unbind?: { readonly decidedAt?: string }; readonly release?: object }, seenAt: number): void {
    if (spec.unbind) this.taken(machine, spec.unbind.decidedAt === undefined ? seenAt : Date.parse(spec.unbind.decidedAt));
    else if (spec.release) this.taken(machine, seenAt);
  }

  private taken(machine: string, at: number): void {
    if (Number.isNaN(at)) return;
    const times = this.takings.get(machine) ?? new Set<number>();
    this.takings.set(machine, times.add(at));
  }
}
