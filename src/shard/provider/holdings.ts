import type { KeySet } from '../../lib/key-set.ts';
import type { Texts } from '../../lib/text-map.ts';
import type { ProviderMachine } from '../../provider/provider-machine.ts';
import type { Inventory } from '../inventory.ts';
import type { MachineRecord } from '../record.ts';
import type { SupplyTally } from '../supply-tally.ts';

/**
 * The machines of one provider, among all of the shard: the inventory as whoever speaks for that provider may see and change
 * it. An id that another provider has already is refused, and noted: two machines under one name must never become one.
 */
export class Holdings {
  readonly provider: string;
  private readonly inventory: Inventory;
  private readonly onDisputed: (id: string, owner: string) => void;
  private readonly claims = new Set<string>();

  /** `onDisputed` hears of each id once, until the dispute is over. */
  constructor(inventory: Inventory, provider: string, onDisputed: (id: string, owner: string) => void = () => undefined) {
    this.onDisputed = onDisputed;
    this.inventory = inventory;
    this.provider = provider;
  }

  get size(): number {
    return this.tally.size;
  }

  get tally(): SupplyTally {
    return this.inventory.supplyOf(this.provider);
  }

  /** Ids that this provider lists and another one had first. */
  get disputed(): ReadonlySet<string> {
    return this.claims;
  }

  get(id: string): MachineRecord | undefined {
    const machine = this.inventory.get(id);
    return machine?.provider === this.provider ? machine : undefined;
  }

  /** Live: it may be walked in turns while it changes. */
  *all(): Iterable<MachineRecord> {
    for (const machine of this.inventory.all()) if (machine.provider === this.provider) yield machine;
  }

  /** Those in a state that ends by itself. Live. */
  *inTransition(): Iterable<MachineRecord> {
    for (const machine of this.inventory.inTransition()) if (machine.provider === this.provider) yield machine;
  }

  /** Another provider has a machine of this id. */
  isAnothers(id: string): boolean {
    const machine = this.inventory.get(id);
    return machine !== undefined && machine.provider !== this.provider;
  }

  newIdSet(): KeySet {
    return this.inventory.newIdSet();
  }

  mark(): number {
    return this.inventory.mark();
  }

  observe(seen: ProviderMachine, mark: number): void {
    if (this.mayHave(seen.id)) this.inventory.observe(seen, mark, this.provider);
  }

  recall(seen: ProviderMachine): void {
    if (this.mayHave(seen.id)) this.inventory.recall(seen, this.provider);
  }

  /** A full List names these: what it does not name is disputed no more. */
  named(ids: Pick<Texts, 'has'>): void {
    for (const id of this.claims) if (!ids.has(id)) this.claims.delete(id);
  }

  setIntent(...[id, intent]: Parameters<Inventory['setIntent']>): void {
    if (this.get(id)) this.inventory.setIntent(id, intent);
  }

  update(...[id, fields]: Parameters<Inventory['update']>): void {
    if (this.get(id)) this.inventory.update(id, fields);
  }

  remove(id: string): void {
    if (this.get(id)) this.inventory.remove(id);
  }

  /** False, and noted: another provider has it. */
  private mayHave(id: string): boolean {
    const owner = this.inventory.get(id)?.provider ?? this.provider;
    if (owner === this.provider) {
      if (this.claims.size > 0) this.claims.delete(id);
      return true;
    }
    if (!this.claims.has(id)) {
      this.claims.add(id);
      this.onDisputed(id, owner);
    }
    return false;
  }
}
