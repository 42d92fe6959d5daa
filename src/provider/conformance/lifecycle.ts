import type { Machine } from '../../api/gen/bigfleet/v1alpha1/provider.ts';
import type { MachineState } from '../kit/machine.ts';
import { inArea, type Behaviour } from './behaviour.ts';
import { accepted, check } from './expectation.ts';
import { stateOf, type Trial } from './trial.ts';
import { machineText, quoted, stateText } from './wire-text.ts';

/** An id is an opaque text: as long as the name of a Kubernetes object may be, and with capitals though such names have none. */
const LONG_CLUSTER = 'conf-B106.'.padEnd(253, 'Long-Id_10');

/** B1xx (spec: provider 1.4). */
export const lifecycle: readonly Behaviour[] = inArea('lifecycle', 'core', [
  {
    id: 'B101',
    promise: 'a machine comes back clean from every Drain: no cluster, no shard_metadata, no last_error',
    async run(t) {
      const id = await t.idle();
      for (const round of [1, 2, 3, 4]) {
        await t.toConfigured(id, { cluster: 'conf-b101', metadata: new Map([['cycle', String(round)], ['k', 'v']]) });
        const { machine } = await t.toDrained(id, 5n);
        const isClean = machine.cluster === '' && machine.shardMetadata.size === 0 && machine.lastError === '';
        check(isClean, `${id} without cluster, shard_metadata and last_error after Drain ${round} of 4`, machineText(machine));
      }
    },
  },
  {
    id: 'B103',
    promise: 'between Configure and CONFIGURED a machine is CONFIGURING and nothing else',
    async run(t) {
      const id = await t.idle();
      await traced(t, id, () => t.configure(id), 'Configuring', 'Configured');
    },
  },
  {
    id: 'B104',
    promise: 'between Drain and IDLE a machine is DRAINING and nothing else',
    async run(t) {
      const id = await t.configured();
      await traced(t, id, () => t.drain(id), 'Draining', 'Idle');
    },
  },
  {
    id: 'B105',
    promise: 'on its way through Create, Configure and Drain a machine takes only the legal steps and leaves no resting state out',
    async run(t) {
      const id = await t.speculative();
      await traced(t, id, () => t.create(id), 'Creating', 'Idle');
      await traced(t, id, () => t.configure(id), 'Configuring', 'Configured');
      await traced(t, id, () => t.drain(id), 'Draining', 'Idle');
    },
  },
  {
    id: 'B106',
    promise: 'cluster is there from the start of CONFIGURING, exactly as it was sent, and gone at the end of the Drain',
    async run(t) {
      const id = await t.idle();
      const before = await t.look(id);
      check(before.cluster === '', `no cluster before Configure`, machineText(before));
      const ack = accepted(await t.configure(id, { cluster: LONG_CLUSTER }), 'Configure of an IDLE machine');
      const { all } = await t.trace(id, 'Configured', ack.machine);
      for (const machine of all) {
        const isBound = stateOf(machine) === 'Configuring' || stateOf(machine) === 'Configured';
        if (isBound) isBoundTo(LONG_CLUSTER, machine, stateText(machine.state));
      }
      isBoundTo(LONG_CLUSTER, (await t.inventory(['Configured'])).find((m) => m.id === id), 'List');
      const { machine } = await t.toDrained(id);
      check(machine.cluster === '', 'no cluster once drained', machineText(machine));
    },
  },
  {
    id: 'B107',
    promise: 'host is absent on a SPECULATIVE machine and present from IDLE on',
    async run(t) {
      const id = await t.speculative();
      const slot = await t.look(id);
      check(slot.host === undefined, `no host on a SPECULATIVE machine`, machineText(slot));
      await t.toIdle(id);
      await hasHost(t, id, 'once IDLE');
      await t.toConfigured(id);
      await hasHost(t, id, 'once CONFIGURED');
      await t.toDrained(id);
      await hasHost(t, id, 'IDLE again after the Drain');
    },
  },
  {
    id: 'B108',
    promise: 'a machine at rest stays as it is until it is told otherwise',
    async run(t) {
      const id = await t.configured({ cluster: 'conf-b108' });
      await t.staysFor(t.pace.stillMs, id, 'Configured', (m) => m.cluster === 'conf-b108');
      await t.toDrained(id);
      await t.staysFor(t.pace.stillMs, id, 'Idle', (m) => m.cluster === '');
    },
  },
  {
    id: 'B109',
    alsoIn: ['cloud'],
    needs: ['delete'],
    promise: 'between Delete and SPECULATIVE a machine is DELETING and nothing else, and its host is gone at the end',
    async run(t) {
      const id = await t.idle();
      const last = await traced(t, id, () => t.delete(id), 'Deleting', 'Speculative');
      check(last.host === undefined, 'no host after Delete', machineText(last));
    },
  },
]);

/** Starts a transition and checks that the machine is seen in `during` alone until it is in `target`. */
async function traced(t: Trial, id: string, start: () => ReturnType<Trial['create']>, during: MachineState, target: MachineState) {
  accepted(await start(), `a legal transition with a fresh token`);
  const { seen, last } = await t.trace(id, target);
  const stray = seen.slice(0, -1).filter((s) => s !== during);
  check(stray.length === 0, `${id} to be ${stateText(during)}, then ${stateText(target)}`, `it was seen as ${seen.map(stateText).join(', ')}`);
  check(stateOf(last) === target, `${id} ${stateText(target)}`, machineText(last));
  return last;
}

function isBoundTo(cluster: string, machine: Machine | undefined, where: string): void {
  check(machine?.cluster === cluster, `the cluster ${quoted(cluster)} in ${where}`, machineText(machine));
}

async function hasHost(t: Trial, id: string, when: string): Promise<void> {
  const machine = await t.look(id);
  check(machine.host !== undefined && machine.host.ref !== '', `a host ${when}`, machineText(machine));
}
