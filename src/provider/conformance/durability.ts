import type { Machine } from '../../api/gen/bigfleet/v1alpha1/provider.ts';
import { inArea, type Behaviour } from './behaviour.ts';
import { unfenced, type Caller } from './caller.ts';
import { DUR_A, DURABLE_METADATA } from './durable-lane.ts';
import { accepted, check, fenced } from './expectation.ts';
import { hasMetadata } from './metadata-check.ts';
import { configureArguments, stateOf, type Trial } from './trial.ts';
import { bytesText, machineText, quoted, stateText } from './wire-text.ts';

const TAKEN_UP = 'To take it up again and end it well is right, too, and does not show what becomes of one that cannot be ended: give a command by --start-stuck where no Configure ends, until it is given up (docs/conformance.md)';

/** B10xx (spec: provider 1.4): what was acknowledged survives SIGKILL. The suite starts the provider itself. */
export const durability: readonly Behaviour[] = inArea('durability', 'durable', [
  {
    id: 'B1001',
    promise: 'after a crash fence marks are where they were, also those of unknown machines and of calls that were refused',
    async run(t) {
      const { crash, rpc } = await t.afterCrash();
      fenced(await rpc.create(crash.fencedId, DUR_A), '(3, 7) was used before the crash');
      fenced(await rpc.create(crash.ghostId, DUR_A), '(3, 7) was used before the crash, though there is no such machine');
      fenced(await rpc.create(crash.refusedId, DUR_A), '(3, 7) was used before the crash, for a Drain that was refused');
      accepted(await rpc.create(crash.fencedId, { ...DUR_A, sequence: DUR_A.sequence + 1n }), '(3, 8) is above the mark (3, 7)');
    },
  },
  {
    id: 'B1002',
    promise: 'after a crash the repeat of a Configure that was done is the same operation',
    async run(t) {
      const { crash, rpc } = await t.afterCrash();
      const again = configureArguments({ cluster: 'durable-cluster', metadata: DURABLE_METADATA });
      const { operationId } = accepted(await rpc.configure(crash.boundId, again, unfenced), 'a repeat without a token');
      check(operationId === crash.configureOperation, `the operation_id from before the crash, ${quoted(crash.configureOperation)}`, quoted(operationId));
    },
  },
  {
    id: 'B1003',
    promise: 'after a crash a bound machine is CONFIGURED as before, with its cluster and its metadata',
    async run(t) {
      const { crash, rpc } = await t.afterCrash();
      const machine = accepted(await rpc.get(crash.boundId), 'Get of a bound machine');
      check(stateOf(machine) === 'Configured' && machine.cluster === 'durable-cluster', `${crash.boundId} CONFIGURED for "durable-cluster"`, machineText(machine));
      hasMetadata(machine, DURABLE_METADATA);
    },
  },
  {
    id: 'B1004',
    promise: 'after a crash there are the same machines in the same states',
    async run(t) {
      const { crash } = await t.afterCrash();
      const after = new Map(crash.after.map((m) => [m.id, m]));
      for (const machine of crash.before) {
        const now = after.get(machine.id);
        check(now !== undefined && now.state === machine.state, `${machine.id} ${stateText(machine.state)} as before`, machineText(now));
      }
      const added = crash.after.find((m) => !crash.before.some((b) => b.id === m.id));
      check(added === undefined && crash.after.length === crash.before.length, `the same ${crash.before.length} machines`, added ? `also ${machineText(added)}` : `${crash.after.length}`);
    },
  },
  {
    id: 'B1005',
    promise: 'after a crash revisions go on: none of before hides a change; and no operation id is used again',
    async run(t) {
      const { crash, rpc } = await t.afterCrash();
      check(crash.revisionAfter.length > 0, 'a revision', bytesText(crash.revisionAfter));
      const { operationId } = accepted(await rpc.create(crash.untouched[0], unfenced), 'Create of a SPECULATIVE machine');
      check(operationId !== '' && !crash.operations.includes(operationId), `an operation_id that was not used before: not one of ${crash.operations.map(quoted).join(', ')}`, quoted(operationId));
      const { midway, revisionBefore } = crash;
      await isInDelta(rpc, midway.revision, midway.changedId, 'it has changed since, before the crash');
      await isInDelta(rpc, revisionBefore, crash.untouched[0], 'it has been created since the crash');
    },
  },
  {
    id: 'B1006',
    promise: 'a machine whose Configure was cut off by a crash is FAILED with last_error afterwards, and one whose Create was is not CREATING for ever',
    async run(t) {
      const { interruption, rpc } = await t.afterInterruption();
      const { id, createdId } = interruption;
      await becomes(t, rpc, id, 'FAILED with last_error', (m) => {
        check(stateOf(m) !== 'Configured', `${id} FAILED with last_error: its Configure was cut off. ${TAKEN_UP}`, machineText(m));
        return stateOf(m) === 'Failed' && m.lastError !== '';
      });
      await becomes(t, rpc, createdId, 'IDLE or SPECULATIVE, or FAILED with last_error', (m) => (stateOf(m) === 'Failed' ? m.lastError !== '' : stateOf(m) !== 'Creating'));
    },
  },
  {
    id: 'B1007',
    promise: 'after a crash the first contact of an unknown shard is accepted',
    async run(t) {
      const { crash, rpc } = await t.afterCrash();
      accepted(await rpc.create(crash.untouched[1], { shard: 'durB', epoch: 1n, sequence: 1n }), 'a first contact');
    },
  },
]);

/** Whoever does not know a revision any more may answer with everything. */
async function isInDelta(rpc: Caller, since: Uint8Array, id: string, because: string): Promise<void> {
  const { machines } = accepted(await rpc.list({ since }), 'a revision from before the crash');
  check(machines.some((m) => m.id === id), `${id} in the delta since ${bytesText(since)}, or in a full List: ${because}`, `${machines.length} machines without it`);
}

async function becomes(t: Trial, rpc: Caller, id: string, what: string, isSo: (machine: Machine) => boolean): Promise<void> {
  const end = t.clock.monotonic() + t.pace.reachMs;
  for (;;) {
    const machine = accepted(await rpc.get(id), 'Get after the restart');
    if (isSo(machine)) return;
    check(t.clock.monotonic() < end, `${id} ${what} within ${t.pace.reachMs} ms`, machineText(machine));
    await t.pause(20);
  }
}
