import { inArea, type Behaviour } from './behaviour.ts';
import { accepted, check, refused } from './expectation.ts';
import { follow } from './follow.ts';
import { CREATE_FAULT_LABEL } from './slot-pool.ts';
import { stateOf, type Trial } from './trial.ts';
import type { Machine } from '../../api/gen/bigfleet/v1alpha1/provider.ts';
import { machineText, quoted } from './wire-text.ts';

const SLACK_MS = 3_000;

const patience = ({ pace }: Trial): number => pace.faultTimeoutMs + Math.min(SLACK_MS, pace.reachMs);

/**
 * B7xx (spec: provider 1.4): a fault target breaks on request, by the name of the cluster it is to join or by the label
 * `conformance.fault/create=error` of a slot. A call that will fail later is acknowledged with OK all the same.
 */
export const faults: readonly Behaviour[] = inArea('faults', 'fault', [
  {
    id: 'B701',
    promise: 'a Configure that fails ends in FAILED with last_error, in Get and in deltas (cluster fault-error)',
    run: async (t) => void (await failedConfigure(t, 'fault-error')),
  },
  {
    id: 'B702',
    promise: 'a Create that fails ends in FAILED with last_error (slots labelled conformance.fault/create=error)',
    async run(t) {
      const slot = (await t.inventory(['Speculative'])).find((m) => m.labels.get(CREATE_FAULT_LABEL) === 'error');
      if (!slot) return t.notTestable(`no SPECULATIVE slot is labelled ${CREATE_FAULT_LABEL}=error`);
      t.claim(slot.id);
      accepted(await t.create(slot.id), 'Create is acknowledged before it fails');
      hasFailed(await t.reachOneOf(slot.id, ['Failed', 'Idle', 'Speculative'], patience(t)));
    },
  },
  {
    id: 'B703',
    promise: 'a Configure that never ends is FAILED with last_error after the timeout, in Get and in deltas (cluster fault-timeout)',
    run: async (t) => void (await failedConfigure(t, 'fault-timeout')),
  },
  {
    id: 'B704',
    promise: 'a Configure that succeeds after its timeout stays FAILED (cluster fault-slow-ok)',
    async run(t) {
      const id = await failedConfigure(t, 'fault-slow-ok');
      await t.staysFor(2 * t.pace.faultTimeoutMs, id, 'Failed');
    },
  },
  {
    id: 'B705',
    promise: 'no call revives a FAILED machine or changes its last_error',
    async run(t) {
      const id = await failedConfigure(t, 'fault-error');
      const { lastError } = await t.look(id);
      refused(await t.configure(id), `${id} is FAILED`);
      await t.staysFor(t.pace.stillMs, id, 'Failed', (m) => m.lastError === lastError);
    },
  },
  {
    id: 'B706',
    promise: 'a Drain that fails ends in IDLE, or in FAILED with last_error, never stuck in DRAINING (cluster fault-drain-error)',
    async run(t) {
      const id = await t.configured({ cluster: 'fault-drain-error' });
      accepted(await t.drain(id, { grace: 0n }), 'Drain is acknowledged before it fails');
      const machine = await t.reachOneOf(id, ['Idle', 'Failed'], patience(t));
      if (stateOf(machine) === 'Failed') hasFailed(machine);
    },
  },
  {
    id: 'B707',
    promise: 'last_error is the same however often and however it is read, and a List without states does not leave the machine out',
    async run(t) {
      const id = await failedConfigure(t, 'fault-error');
      const { lastError } = await t.look(id);
      const reads = [await t.look(id), await t.look(id), ...(await Promise.all([t.inventory(['Failed']), t.inventory()])).map((list) => list.find((m) => m.id === id))];
      for (const machine of reads) check(machine?.lastError === lastError, `last_error ${quoted(lastError)} in every read`, machineText(machine));
    },
  },
  {
    id: 'B708',
    promise: 'a machine whose Node does not become Ready is never CONFIGURED, and FAILED with last_error after the timeout (cluster fault-readiness-block)',
    async run(t) {
      const id = await t.idle();
      accepted(await t.configure(id, { cluster: 'fault-readiness-block' }), 'Configure is acknowledged before it fails');
      await t.staysFor(t.pace.faultTimeoutMs * 0.75, id, 'Configuring');
      hasFailed(await t.reachOneOf(id, ['Failed', 'Configured'], patience(t)));
    },
  },
]);

/** Configures a machine for a cluster that makes this fail, and waits until it has. */
async function failedConfigure(t: Trial, cluster: string): Promise<string> {
  const id = await t.idle();
  const follower = await follow(t, id);
  accepted(await t.configure(id, { cluster }), 'Configure is acknowledged before it fails');
  await follower.catchUp();
  const machine = await t.reachOneOf(id, ['Failed', 'Configured', 'Idle'], patience(t));
  hasFailed(machine);
  await follower.knows(machine);
  return id;
}

function hasFailed(machine: Machine): void {
  check(stateOf(machine) === 'Failed' && machine.lastError !== '', `${machine.id} FAILED with last_error`, machineText(machine));
}
