import { compareText } from '../lib/compare-text.ts';

export function byId(a: { readonly id: string }, b: { readonly id: string }): number {
  return compareText(a.id, b.id);
}
