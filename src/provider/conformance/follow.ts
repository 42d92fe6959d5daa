import type { Machine } from '../../api/gen/bigfleet/v1alpha1/provider.ts';
import { check } from './expectation.ts';
import type { Trial } from './trial.ts';
import { machineText } from './wire-text.ts';

/** A shard that knows of one machine what deltas have told it. */
export interface Follower {
  /** Takes the delta since the last one. */
  catchUp(): Promise<void>;
  /** Takes the last delta and checks that the machine is known as Get has just shown it. */
  knows(machine: Machine): Promise<void>;
}

/** Follows one machine from here on. Without revisions every delta is a full List, and all is known as well. */
export async function follow(t: Trial, id: string): Promise<Follower> {
  let cursor = await t.head();
  let known: Machine | undefined;
  const catchUp = async (): Promise<void> => {
    const delta = await t.since(cursor, 'a delta since a known revision');
    cursor = delta.revision;
    known = delta.machines.find((machine) => machine.id === id) ?? known;
  };
  return {
    catchUp,
    async knows(machine) {
      await catchUp();
      const isSame = known?.state === machine.state && known.cluster === machine.cluster && known.lastError === machine.lastError;
      check(isSame, `a shard that follows by deltas to know what Get says, ${machineText(machine)}`, known ? machineText(known) : 'nothing at all in the deltas');
    },
  };
}
