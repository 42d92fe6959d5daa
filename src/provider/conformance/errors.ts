import { inArea, type Behaviour } from './behaviour.ts';
import { accepted, check, fenced, notFenced, refused, Violation } from './expectation.ts';
import { hasMetadata, sameMetadata } from './metadata-check.ts';
import { stateOf, type Trial } from './trial.ts';
import { machineText, quoted, stateText } from './wire-text.ts';

const MAX_INT64 = 9_223_372_036_854_775_807n;
/** After a refused call; less if the run watches less. */
const SETTLED_MS = 250;
const KIB = 1024;

/** B2xx: which calls are legal when, and how the others are refused (spec: provider 1.4). */
export const errors: readonly Behaviour[] = inArea('errors', 'core', [
  {
    id: 'B201',
    promise: 'Create of a CONFIGURED machine is refused, not as fenced, and touches nothing',
    async run(t) {
      const id = await t.configured({ cluster: 'conf-b201' });
      refused(await t.create(id), `${id} is CONFIGURED, and Create starts from SPECULATIVE`);
      await t.staysFor(Math.min(SETTLED_MS, t.pace.stillMs), id, 'Configured', (m) => m.cluster === 'conf-b201');
    },
  },
  {
    id: 'B202',
    promise: 'Configure of a SPECULATIVE machine is refused, not as fenced, and leaves no binding behind',
    async run(t) {
      const id = await t.speculative();
      refused(await t.configure(id, { cluster: 'conf-b202', metadata: new Map([['leak', 'yes']]) }), `${id} is SPECULATIVE, and Configure starts from IDLE`);
      const machine = await t.look(id);
      const isClean = stateOf(machine) === 'Speculative' && machine.cluster === '' && machine.shardMetadata.size === 0;
      check(isClean, `${id} SPECULATIVE, without cluster and shard_metadata`, machineText(machine));
    },
  },
  {
    id: 'B203',
    promise: 'Drain of an IDLE machine is refused, not as fenced, or does nothing',
    async run(t) {
      const id = await t.idle();
      notFenced(await t.drain(id), `the token is fresh`);
      await t.staysFor(Math.min(SETTLED_MS, t.pace.stillMs), id, 'Idle');
    },
  },
  {
    id: 'B204',
    alsoIn: ['cloud'],
    promise: 'Delete is for IDLE machines: on SPECULATIVE it changes nothing, on CONFIGURED it is refused',
    async run(t) {
      const slot = await t.speculative();
      notFenced(await t.delete(slot), `the token is fresh`);
      await t.staysFor(0, slot, 'Speculative');
      const bound = await t.configured({ cluster: 'conf-b204' });
      refused(await t.delete(bound), `${bound} serves a cluster`);
      await t.staysFor(Math.min(SETTLED_MS, t.pace.stillMs), bound, 'Configured', (m) => m.cluster === 'conf-b204');
    },
  },
  {
    id: 'B205',
    promise: 'a repeat at the target is OK and shows the settled machine; a Configure for another cluster does not take the machine over',
    async run(t) {
      const id = await t.idle();
      const created = accepted(await t.create(id), `Create is repeated with a fresh token`);
      shows(created.machine, 'Idle', 'Create repeated at IDLE');
      const binding = { cluster: 'conf-b205', metadata: new Map([['k', 'v']]) };
      await t.toConfigured(id, binding);
      const configured = accepted(await t.configure(id, binding), `Configure is repeated with a fresh token`);
      shows(configured.machine, 'Configured', 'Configure repeated at CONFIGURED');
      await t.staysFor(0, id, 'Configured', (m) => m.cluster === 'conf-b205');
      // To whoever goes by the machine's state it is a repeat; who looks at the cluster may refuse it. Nobody may obey.
      const other = await t.configure(id, { cluster: 'conf-b205-other', metadata: new Map([['other', 'yes']]) });
      notFenced(other, `the token is fresh, and ${id} serves another cluster`);
      if (other.value) sameOperation(other.value.operationId, configured.operationId, 'the Configure that was done, or a refusal');
      await t.staysFor(Math.min(SETTLED_MS, t.pace.stillMs), id, 'Configured', (m) => m.cluster === 'conf-b205' && sameMetadata(m.shardMetadata, binding.metadata));
    },
  },
  {
    id: 'B206',
    promise: 'a repeat at the target has the operation id of the original; different operations have different ones',
    async run(t) {
      const id = await t.speculative();
      const create = (await t.toIdle(id)).operationId;
      check(create !== '', `an operation_id in the ack of Create`, `an empty one`);
      sameOperation(accepted(await t.create(id), 'Create repeated at IDLE').operationId, create, 'Create');
      const configure = (await t.toConfigured(id)).operationId;
      check(configure !== '', `an operation_id in the ack of Configure`, `an empty one`);
      sameOperation(accepted(await t.configure(id), 'Configure repeated at CONFIGURED').operationId, configure, 'Configure');
      check(create !== configure, `Create and Configure to have operation ids of their own`, `both are ${quoted(create)}`);
    },
  },
  {
    id: 'B207',
    promise: 'Create, Configure and Drain of an unknown machine are NOT_FOUND and bring nothing into being',
    async run(t) {
      const ghost = t.named('ghost');
      refused(await t.create(ghost), 'there is no such machine', ['NOT_FOUND']);
      refused(await t.configure(ghost), 'there is no such machine', ['NOT_FOUND']);
      refused(await t.drain(ghost), 'there is no such machine', ['NOT_FOUND']);
      refused(await t.get(ghost), 'there is still no such machine', ['NOT_FOUND']);
      const listed = (await t.inventory()).some((m) => m.id === ghost);
      check(!listed, `${ghost} not to be listed`, `List contains it`);
    },
  },
  {
    id: 'B208',
    promise: 'an empty machine id is INVALID_ARGUMENT',
    async run(t) {
      refused(await t.get(''), 'the id is empty', ['INVALID_ARGUMENT']);
      refused(await t.create(''), 'machine_id is empty', ['INVALID_ARGUMENT']);
      refused(await t.configure(''), 'machine_id is empty', ['INVALID_ARGUMENT']);
      refused(await t.drain(''), 'machine_id is empty', ['INVALID_ARGUMENT']);
    },
  },
  {
    id: 'B209',
    promise: '512 keys of metadata of 1 KiB each are kept whole, or refused whole',
    async run(t) {
      const metadata = new Map(Array.from({ length: 512 }, (_, i) => [`conf/key-${i}`, `${i}:`.padEnd(KIB, 'x')]));
      await wholeOrRefused(t, metadata);
    },
  },
  {
    id: 'B210',
    promise: 'Drain with a negative grace period is INVALID_ARGUMENT and changes nothing, or drains',
    async run(t) {
      const id = await t.configured();
      const reply = await t.drain(id, { grace: -5n });
      if (reply.code === 'OK') return void (await t.reach(id, 'Idle'));
      refused(reply, 'the grace period is negative', ['INVALID_ARGUMENT']);
      await t.staysFor(0, id, 'Configured');
    },
  },
  {
    id: 'B211',
    promise: 'a first contact with a negative epoch or sequence is not fenced',
    async run(t) {
      const id = await t.speculative();
      for (const [epoch, sequence] of [[-1, 1], [1, -1], [-7, -3]] as const) {
        const reply = await t.create(id, t.at(epoch, sequence, `${t.shard}-${epoch}-${sequence}`));
        if (reply.code !== 'INVALID_ARGUMENT') accepted(reply, `this shard has never spoken of ${id}, and there is nothing to be above`);
      }
    },
  },
  {
    id: 'B212',
    promise: 'epochs and sequences are compared exactly up to the largest 64-bit integer',
    async run(t) {
      const id = await t.speculative();
      accepted(await t.create(id, t.at(MAX_INT64 - 1n, MAX_INT64)), 'a first contact');
      await t.reach(id, 'Idle');
      accepted(await t.configure(id, { token: t.at(MAX_INT64, MAX_INT64) }), 'its epoch is one above the mark (as floating-point numbers they are equal)');
      fenced(await t.create(id, t.at(MAX_INT64, MAX_INT64)), 'the token equals the mark');
      fenced(await t.create(id, t.at(MAX_INT64 - 1n, MAX_INT64)), 'its epoch is one below the mark');
    },
  },
  {
    id: 'B213',
    promise: 'a bootstrap blob of 3 MiB is taken, or refused without a trace',
    async run(t) {
      const id = await t.idle();
      const reply = await t.configure(id, { cluster: 'conf-b213', blob: Buffer.alloc(3 * KIB * KIB, '#') });
      if (reply.code === 'OK') {
        const machine = await t.reach(id, 'Configured');
        return check(machine.cluster === 'conf-b213', 'cluster "conf-b213"', machineText(machine));
      }
      refused(reply, 'the blob is large', ['INVALID_ARGUMENT', 'RESOURCE_EXHAUSTED']);
      await t.staysFor(0, id, 'Idle', (m) => m.cluster === '' && m.shardMetadata.size === 0);
    },
  },
  {
    id: 'B214',
    promise: 'every new cycle has new operation ids, and a repeat has the newest one',
    async run(t) {
      const id = await t.speculative();
      const ids: string[] = [(await t.toIdle(id)).operationId];
      for (const cluster of ['conf-b214', 'conf-b214-b']) {
        ids.push((await t.toConfigured(id, { cluster })).operationId);
        ids.push((await t.toDrained(id)).ack.operationId);
      }
      check(new Set(ids).size === 5 && !ids.includes(''), 'five operation ids, all different', ids.map(quoted).join(', '));
      sameOperation(accepted(await t.drain(id), 'Drain repeated at IDLE with a fresh token').operationId, ids[4]!, 'the second Drain');
    },
  },
  {
    id: 'B215',
    alsoIn: ['cloud'],
    promise: 'Get and Delete of an unknown machine are NOT_FOUND',
    async run(t) {
      const ghost = t.named('ghost');
      refused(await t.get(ghost), 'there is no such machine', ['NOT_FOUND']);
      refused(await t.delete(ghost), 'there is no such machine', ['NOT_FOUND', 'UNIMPLEMENTED']);
    },
  },
]);

/** Configures an IDLE machine with this map: it must come back byte for byte, or be refused with nothing left behind. */
export async function wholeOrRefused(t: Trial, metadata: ReadonlyMap<string, string>): Promise<void> {
  const id = await t.idle();
  const reply = await t.configure(id, { metadata });
  if (reply.code === 'OK') {
    await t.reach(id, 'Configured');
    return hasMetadata(await t.look(id), metadata);
  }
  refused(reply, 'the metadata is large', ['INVALID_ARGUMENT', 'RESOURCE_EXHAUSTED']);
  await t.staysFor(0, id, 'Idle', (m) => m.cluster === '' && sameMetadata(m.shardMetadata, new Map()));
}

function shows(machine: Parameters<typeof machineText>[0], state: 'Idle' | 'Configured', when: string): void {
  if (!machine || stateOf(machine) !== state) throw new Violation(`the ack of ${when} to show ${stateText(state)}`, machineText(machine));
}

function sameOperation(got: string, original: string, what: string): void {
  check(got === original, `the operation_id of ${what}, ${quoted(original)}`, quoted(got));
}
