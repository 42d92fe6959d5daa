import { join } from 'node:path';

/** What the static provider keeps beside the kit's own files in its state directory. */
export function stateFolders(state: string): { readonly hooks: string; readonly recover: string } {
  return { hooks: join(state, 'hooks'), recover: join(state, 'recover') };
}
