import { createHash } from 'node:crypto';
import { compareText } from '../../lib/compare-text.ts';
import { PER_TURN, inTurns, nextTurn, sortedInTurns } from '../../lib/turns.ts';
import type { Quarantine } from './removal.ts';

/** A person confirms what was read a while ago, not everything that was ever missing. */
const MAX_OFFERS = 100;

interface Offer {
  /** The last List in a row for which it was offered. */
  readonly list: number;
  /** How many machines it names. */
  readonly named: number;
}

/**
 * Lists in a row that are not believed: what they lack, and whose word confirms that it is gone. A token is made of what is
 * missing alone, so that a restart changes nothing about it.
 */
export class Doubt {
  private readonly since: number;
  private lists = 0;
  private absent: readonly string[] | undefined;
  private missing: readonly string[] = [];
  private unnamed = 0;
  private digest = '';
  /** Of each missing machine, the first of the Lists in a row that lack it. */
  private missingFrom: ReadonlyMap<string, number> = new Map();
  /** The last List that lacked a machine which the one before it named. */
  private newestLoss = 0;
  /** What was offered, by the digest of the machines that it names. */
  private readonly offers = new Map<string, Offer>();

  /** `since`: Unix ms. */
  constructor(since: number) {
    this.since = since;
  }

  /** Takes in the next List: the machines it lacks, how many more it lacks that are known by their number only, of how many in all. */
  async look(absent: readonly string[], unnamed: number, known: number): Promise<Quarantine> {
    this.lists++;
    this.unnamed = unnamed;
    // Naming hundreds of thousands of machines takes long: while it is the same ones, once is enough.
    const isSame = absent.length === this.absent?.length && absent.every((id, i) => id === this.absent?.[i]);
    if (!isSame) await this.take(absent);
    const { missing, digest, since } = this;
    this.offers.set(digest, { list: this.lists, named: missing.length });
    for (const oldest of this.offers.keys()) {
      if (this.offers.size <= MAX_OFFERS) break;
      this.offers.delete(oldest);
    }
    return { since, missing, unnamed, known, token: `${missing.length + unnamed}-${digest}` };
  }

  /**
   * Whether the word confirms the loss of everything that the last List lacks: it is the token for just these machines, by
   * whatever process it was offered, or was offered here for more, all of which have been missing since.
   */
  isConfirmedBy(word: string | undefined): boolean {
    const [, total, digest = ''] = /^(\d+)-([0-9a-f]+)$/.exec(word ?? '') ?? [];
    const offer = this.offers.get(digest);
    return offer !== undefined && offer.list >= this.newestLoss && Number(total) - offer.named >= this.unnamed;
  }

  private async take(absent: readonly string[]): Promise<void> {
    const before = this.missingFrom;
    const missingFrom = new Map<string, number>();
    this.newestLoss = 0;
    await inTurns(absent, (id) => {
      const from = before.get(id) ?? this.lists;
      missingFrom.set(id, from);
      this.newestLoss = Math.max(this.newestLoss, from);
    });
    this.missingFrom = missingFrom;
    this.absent = absent;
    const missing: string[] = [];
    const hash = createHash('sha256');
    for await (const id of sortedInTurns(absent, compareText)) {
      hash.update(JSON.stringify(id));
      if (missing.push(id) % PER_TURN === 0) await nextTurn();
    }
    this.missing = missing;
    this.digest = hash.digest('hex').slice(0, 8);
  }
}
