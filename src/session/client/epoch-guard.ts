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

  /** What an earlier process had seen. */
  restore(known: ReadonlyMap<string, bigint>): void {
    for (const [id, epoch] of known) if (this.isCurrent(id, epoch)) this.highest.set(id, epoch);
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

/** The form kept in an annotation: a JSON object, epochs as decimal text because they are 64 bits wide. */
export function formatEpochs(epochs: ReadonlyMap<string, bigint>): string {
  return JSON.stringify(Object.fromEntries([...epochs].map(([id, epoch]) => [id, String(epoch)])));
}

/** Entries that cannot be read are skipped: losing one only weakens a check, refusing to start would stop a cluster. */
export function parseEpochs(text: string | undefined): Map<string, bigint> {
  const epochs = new Map<string, bigint>();
  let parsed: unknown;
  try {
    parsed = JSON.parse(text ?? '{}');
  } catch {
    return epochs;
  }
  if (typeof parsed !== 'object' || parsed === null) return epochs;
  for (const [id, epoch] of Object.entries(parsed)) {
    if (/^-?\d+$/.test(String(epoch))) epochs.set(id, BigInt(String(epoch)));
  }
  return epochs;
}
