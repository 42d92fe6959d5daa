import { inArea, type Behaviour } from './behaviour.ts';
import { accepted, check, fenced, refused, Violation } from './expectation.ts';
import { noShadow, saneCost } from './field-shape.ts';
import { sameBytes } from './list.ts';
import { hasMetadata } from './metadata-check.ts';
import { stateOf, type Trial } from './trial.ts';
import { bytesText, machineText, quoted, stateText } from './wire-text.ts';

const DRAIN_WITHIN_MS = 10_000;

/** What every provider must pass, whatever it claims (spec: provider 1.3). The ids are the names of the tests there. */
export const baseline: readonly Behaviour[] = inArea('baseline', undefined, [
  {
    id: 'FullLifecycle',
    promise: 'a machine goes from SPECULATIVE through IDLE and CONFIGURED and all the way back',
    async run(t) {
      const id = await t.configured();
      await t.toDrained(id);
      const reply = await t.delete(id);
      if (reply.code === 'UNIMPLEMENTED') return;
      accepted(reply, 'Delete of an IDLE machine');
      await t.reach(id, 'Speculative');
    },
  },
  {
    id: 'CreateIdempotent',
    promise: 'the same Create twice is one operation',
    run: async (t) => twice(t, await t.speculative(), (id) => t.create(id), 'Idle'),
  },
  {
    id: 'ConfigureIdempotent',
    promise: 'the same Configure twice is one operation',
    run: async (t) => twice(t, await t.idle(), (id) => t.configure(id), 'Configured'),
  },
  {
    id: 'DrainIdempotent',
    promise: 'the same Drain twice is one operation',
    run: async (t) => twice(t, await t.configured(), (id) => t.drain(id), 'Idle'),
  },
  {
    id: 'DeleteIdempotent',
    promise: 'the same Delete twice is one operation',
    async run(t) {
      const id = await t.idle();
      const first = await t.delete(id);
      if (first.code === 'UNIMPLEMENTED') return;
      const second = accepted(await t.delete(id), 'the repeat, with a fresh token');
      sameId(accepted(first, 'Delete of an IDLE machine').operationId, second.operationId);
      await t.reach(id, 'Speculative');
    },
  },
  {
    id: 'GetUnknownMachine',
    promise: 'Get of an unknown machine is NOT_FOUND',
    run: async (t) => refused(await t.get(t.named('ghost')), 'there is no such machine', ['NOT_FOUND']),
  },
  {
    id: 'DeleteUnknownMachine',
    promise: 'Delete of an unknown machine is NOT_FOUND',
    run: async (t) => refused(await t.delete(t.named('ghost')), 'there is no such machine', ['NOT_FOUND', 'UNIMPLEMENTED']),
  },
  {
    id: 'ListFiltersByState',
    promise: 'List returns only states that were asked for',
    async run(t) {
      const id = await t.configured();
      const machines = await t.inventory(['Configured']);
      const stray = machines.find((m) => stateOf(m) !== 'Configured');
      check(stray === undefined, 'only CONFIGURED machines', machineText(stray));
      check(machines.some((m) => m.id === id), `${id} among the CONFIGURED machines`, 'it is not listed');
    },
  },
  {
    id: 'ListMaxResults',
    promise: 'List returns no more than max_results',
    async run(t) {
      await t.fleet(3);
      const { machines } = accepted(await t.list({ max: 2 }), 'List with max_results 2');
      check(machines.length <= 2, 'at most 2 machines', `${machines.length}`);
    },
  },
  {
    id: 'LabelShape',
    promise: 'the instance type is a field, not a label',
    run: async (t) => (await t.fleet()).forEach(noShadow),
  },
  {
    id: 'CostFieldBounds',
    promise: 'prices are not negative and probabilities lie in [0, 1]',
    run: async (t) => (await t.fleet()).forEach(saneCost),
  },
  {
    id: 'ListRevisionAdvances',
    promise: 'a revision, if there is one, is another after a mutation',
    async run(t) {
      const id = await t.speculative();
      const before = await t.head();
      await t.toIdle(id);
      const after = await t.head();
      check(before.length === 0 || !sameBytes(before, after), `another revision than ${bytesText(before)}`, 'the same');
    },
  },
  {
    id: 'DrainOnSpeculative',
    promise: 'Drain of a SPECULATIVE machine is refused, not as fenced',
    run: async (t) => refused(await t.drain(await t.speculative()), 'there is nothing to drain'),
  },
  {
    id: 'TransitionalStateObservability',
    promise: 'between two resting states only the state of the transition is seen',
    async run(t) {
      const id = await t.speculative();
      accepted(await t.create(id), 'Create');
      const { seen } = await t.trace(id, 'Idle');
      const stray = seen.find((s) => s !== 'Creating' && s !== 'Idle');
      check(stray === undefined, 'CREATING, then IDLE', seen.map(stateText).join(', '));
    },
  },
  {
    id: 'DrainGraceTimeout',
    promise: 'a Drain without grace ends soon, in IDLE or in FAILED with a reason, and never in CONFIGURED',
    async run(t) {
      const id = await t.configured();
      accepted(await t.drain(id, { grace: 0n }), 'Drain');
      const machine = await t.reachOneOf(id, ['Idle', 'Failed', 'Configured'], Math.max(DRAIN_WITHIN_MS, t.pace.reachMs));
      const isFine = stateOf(machine) === 'Idle' || (stateOf(machine) === 'Failed' && machine.lastError !== '');
      check(isFine, `${id} IDLE, or FAILED with last_error`, machineText(machine));
    },
  },
  {
    id: 'DeleteOnConfigured',
    promise: 'Delete of a CONFIGURED machine is refused, not as fenced, and leaves it alone',
    async run(t) {
      const id = await t.configured();
      refused(await t.delete(id), `${id} serves a cluster`);
      await t.staysFor(0, id, 'Configured');
    },
  },
  {
    id: 'FencingUnknownShardAccepted',
    promise: 'the first contact of any shard is accepted',
    run: async (t) => void accepted(await t.create(await t.speculative(), t.at(1, 1)), 'a first contact'),
  },
  {
    id: 'FencingStaleEpochRejected',
    promise: 'a lower epoch is fenced',
    async run(t) {
      const id = await t.speculative();
      accepted(await t.create(id, t.at(5, 1)), 'a first contact');
      fenced(await t.create(id, t.at(4, 100)), 'epoch 4 is below epoch 5');
    },
  },
  {
    id: 'FencingStaleSequenceRejected',
    promise: 'a lower or equal sequence of the same epoch is fenced',
    async run(t) {
      const id = await t.speculative();
      accepted(await t.create(id, t.at(5, 10)), 'a first contact');
      fenced(await t.create(id, t.at(5, 10)), 'the same token again');
      fenced(await t.create(id, t.at(5, 9)), 'sequence 9 is below 10');
    },
  },
  {
    id: 'FencingNewEpochResetsSequence',
    promise: 'a new epoch may begin with any sequence',
    async run(t) {
      const id = await t.speculative();
      accepted(await t.create(id, t.at(5, 100)), 'a first contact');
      accepted(await t.create(id, t.at(6, 1)), 'epoch 6 is above epoch 5');
    },
  },
  {
    id: 'FencingReadsUnaffected',
    promise: 'Get and List work after a call was fenced',
    async run(t) {
      const id = await t.speculative();
      accepted(await t.create(id, t.at(5, 5)), 'a first contact');
      fenced(await t.create(id, t.at(1, 1)), '(1, 1) is below (5, 5)');
      await t.look(id);
      await t.inventory();
    },
  },
  {
    id: 'FencingPerMachineIsolation',
    promise: 'a mark for one machine says nothing about another',
    async run(t) {
      const [a, b] = [await t.speculative(), await t.speculative()];
      accepted(await t.create(a, t.at(1, 30)), 'a first contact');
      accepted(await t.create(b, t.at(1, 7)), `the first contact with ${b}`);
    },
  },
  {
    id: 'MetadataEchoedOnGetAndList',
    promise: 'Get and List return the metadata of the Configure',
    async run(t) {
      const sent = new Map([['bigfleet.lucy.sh/assigned-priority', '100'], ['bigfleet.lucy.sh/assigned-group', 'topology.bigfleet/rack\0gang-7']]);
      const id = await t.configured({ metadata: sent });
      hasMetadata(await t.look(id), sent);
      const listed = (await t.inventory()).find((m) => m.id === id);
      if (!listed) throw new Violation(`${id} in List`, 'it is not there');
      hasMetadata(listed, sent);
    },
  },
  {
    id: 'MetadataUnknownKeysPreservedVerbatim',
    promise: 'keys that nobody knows are kept as they are, empty values too',
    async run(t) {
      const sent = new Map([['example.com/unknown', ' \u00e9\0'], ['empty', '']]);
      hasMetadata(await t.look(await t.configured({ metadata: sent })), sent);
    },
  },
  {
    id: 'MetadataAndBindingClearOnDrain',
    promise: 'cluster and metadata are gone together at the end of a Drain',
    async run(t) {
      const id = await t.configured({ metadata: new Map([['k', 'v']]) });
      const { machine } = await t.toDrained(id);
      check(machine.cluster === '' && machine.shardMetadata.size === 0, 'neither cluster nor shard_metadata', machineText(machine));
    },
  },
]);

async function twice(t: Trial, id: string, call: (id: string) => ReturnType<Trial['create']>, target: 'Idle' | 'Configured'): Promise<void> {
  const first = accepted(await call(id), 'a legal transition');
  const second = accepted(await call(id), 'the repeat, with a fresh token');
  sameId(first.operationId, second.operationId);
  await t.reach(id, target);
}

function sameId(first: string, second: string): void {
  check(first === second && first !== '', `one operation id in both acks`, `${quoted(first)} and ${quoted(second)}`);
}
