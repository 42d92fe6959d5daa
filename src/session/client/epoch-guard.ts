/**
 * Remembers the highest epoch seen of each shard (D17). A shard process that has been succeeded may still hold a
 * session; its orders are refused, its news are harmless.
 */
export class EpochGuard {
  private readonly highest: Map<string, bigint>;
  private readonly onRaised: (epochs: ReadonlyMap<string, bigint>) => void;

  constructor(known: ReadonlyMap<string, bigint> = new Map(), onRaised: (epochs: ReadonlyMap<string, bigint>) => void = () => {}) {
    this.highest = new Map(known);
    this.onRaised = onRaised;
  }

  /** `shardId` is the shard's id, or its address where it tells no id. Returns whether this epoch is the newest known. */
  observe(shardId: string, epoch: bigint): boolean {
    const known = this.highest.get(shardId);
    if (known !== undefined && epoch < known) return false;
    if (known === undefined || epoch > known) {
      this.highest.set(shardId, epoch);
      this.onRaised(this.highest);
    }
    return true;
  }

  isCurrent(shardId: string, epoch: bigint): boolean {
    const known = this.highest.get(shardId);
    return known === undefined || epoch >= known;
  }
}

/** `shard-0=12,shard-1=3`: the form kept in an annotation. */
export function formatEpochs(epochs: ReadonlyMap<string, bigint>): string {
  return [...epochs].sort(([a], [b]) => (a < b ? -1 : 1)).map(([id, epoch]) => `${id}=${epoch}`).join(',');
}

/** Entries that cannot be read are skipped: losing one only weakens a check, refusing to start would stop a cluster. */
export function parseEpochs(text: string | undefined): Map<string, bigint> {
  const epochs = new Map<string, bigint>();
  for (const entry of (text ?? '').split(',')) {
    const at = entry.lastIndexOf('=');
    if (at > 0 && /^-?\d+$/.test(entry.slice(at + 1))) epochs.set(entry.slice(0, at), BigInt(entry.slice(at + 1)));
  }
  return epochs;
}
