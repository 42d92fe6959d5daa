import { isTooMany } from '../../reconcilers/provider/removal.ts';

/** What an earlier process said of a provider's machines that served, and what is known of them by now. */
export interface BoundMachines {
  /** As many as the status of the CapacityProvider says. */
  readonly before: number;
  /** Of those that an object describes or a List names. */
  readonly known: number;
  /** Each machine that served had an object: then a few more in a status, which is written now and then, mean nothing. */
  readonly areObjects: boolean;
}

/**
 * Pure: how many machines served, as far as anybody knows, and are not seen. While there are any, whatever they serve looks unmet, and
 * would be bought a second time elsewhere.
 */
export function unseenBound({ before, known, areObjects }: BoundMachines): number {
  const unseen = Math.max(0, before - known);
  return areObjects && !isTooMany(unseen, before) ? 0 : unseen;
}

/** What a person writes to confirm that so many machines are gone, and no more than these. */
export function unseenToken(unseen: number): string {
  return `unseen-${unseen}`;
}

/** Whether the word is for these machines, or for more. */
export function confirmsUnseen(word: string | undefined, unseen: number): boolean {
  const [, confirmed] = /^unseen-(\d+)$/.exec(word?.trim() ?? '') ?? [];
  return confirmed !== undefined && Number(confirmed) >= unseen;
}

/** `unseen`: how many machines, by provider. '' = none. No sentence of its own. */
export function tellUnseen(unseen: ReadonlyMap<string, number>): string {
  return [...unseen].map(([name, count]) => `${count === 1 ? 'a machine' : `${count} machines`} of provider ${name} that served ${count === 1 ? 'has' : 'have'} not been listed since this shard started`).join('; ');
}
