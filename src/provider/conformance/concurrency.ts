import type { TransitionAck } from '../../api/gen/bigfleet/v1alpha1/provider.ts';
import type { MachineState } from '../kit/machine.ts';
import { inArea, type Behaviour } from './behaviour.ts';
import { configureArguments, stateOf, type Trial } from './trial.ts';
import type { Reply } from './caller.ts';
import { accepted, check, fenced, notFenced, Violation } from './expectation.ts';
import { hasMetadata } from './metadata-check.ts';
import { machineText, quoted, stateText } from './wire-text.ts';

const AT_ONCE = 16;

/** B4xx (spec: provider 1.4). Calls at the same moment carry tokens of different shards, so that none fences another. */
export const concurrency: readonly Behaviour[] = inArea('concurrency', 'core', [
  {
    id: 'B401',
    promise: '16 Creates at once are one operation',
    async run(t) {
      const id = await t.speculative();
      oneOperation(await atOnce((n) => t.create(id, t.stranger(n))), 'Create');
      await t.reach(id, 'Idle');
      await listedOnce(t, id, 'Idle');
    },
  },
  {
    id: 'B402',
    promise: '16 equal Configures at once are one operation, and the binding is right',
    async run(t) {
      const id = await t.idle();
      const metadata = new Map([['k', 'v']]);
      oneOperation(await atOnce((n) => t.configure(id, { cluster: 'conf-b402', metadata, token: t.stranger(n) })), 'Configure');
      const machine = await t.reach(id, 'Configured');
      check(machine.cluster === 'conf-b402', 'cluster "conf-b402"', machineText(machine));
      hasMetadata(machine, metadata);
      await listedOnce(t, id, 'Configured');
    },
  },
  {
    id: 'B403',
    promise: '16 Drains at once are one operation, and the binding is gone',
    async run(t) {
      const id = await t.configured({ metadata: new Map([['k', 'v']]) });
      oneOperation(await atOnce((n) => t.drain(id, { token: t.stranger(n) })), 'Drain');
      const machine = await t.reach(id, 'Idle');
      check(machine.cluster === '' && machine.shardMetadata.size === 0, `${id} without binding`, machineText(machine));
      await listedOnce(t, id, 'Idle');
    },
  },
  {
    id: 'B404',
    promise: 'Configure and Drain at once: whoever loses is not told FAILED_PRECONDITION, and the machine ends IDLE or CONFIGURED, whole',
    async run(t) {
      const id = await t.idle();
      const replies = await Promise.all([
        t.configure(id, { cluster: 'conf-b404', token: t.stranger('a') }),
        t.drain(id, { token: t.stranger('b') }),
      ]);
      for (const reply of replies) notFenced(reply, 'both tokens are fresh');
      await t.reachOneOf(id, ['Idle', 'Configured']);
      await t.pause(50);
      const machine = await t.reachOneOf(id, ['Idle', 'Configured']);
      const cluster = stateOf(machine) === 'Configured' ? 'conf-b404' : '';
      check(machine.cluster === cluster, `cluster ${quoted(cluster)} in ${stateText(machine.state)}`, machineText(machine));
    },
  },
  {
    id: 'B405',
    promise: 'calls of a former epoch that arrive among those of the present one are all fenced',
    async run(t) {
      const id = await t.speculative();
      accepted(await t.create(id, t.at(1, 1000)), 'a first contact');
      const zombies = Array.from({ length: 12 }, (_, i) => t.at(1, i));
      const live = Array.from({ length: 12 }, (_, i) => t.at(2, 100 + i));
      let passed = 0;
      await Promise.all(shuffled(t, [...zombies, ...live]).map(async (token) => {
        const reply = await t.create(id, token);
        if (token.epoch === 1n) return fenced(reply, 'a token of epoch 1 below the mark (1, 1000)');
        if (reply.code === 'OK') passed += 1;
        else fenced(reply, 'a token of epoch 2 passes, or one with a higher sequence was faster');
      }));
      check(passed > 0, 'at least one call of epoch 2 to pass', 'all were refused');
      fenced(await t.create(id, t.at(1, 9)), 'a token of the former epoch');
      accepted(await t.create(id, t.at(2, 9_999)), 'above every token so far');
    },
  },
  {
    id: 'B406',
    promise: 'a repeat over another connection is the same operation',
    async run(t) {
      const id = await t.speculative();
      const one = accepted(await t.create(id), 'Create of a SPECULATIVE machine');
      const other = accepted(await t.secondConnection().create(id, t.next()), 'the repeat, with a fresh token');
      check(one.operationId === other.operationId && one.operationId !== '', `operation_id ${quoted(one.operationId)}`, quoted(other.operationId));
    },
  },
  {
    id: 'B407',
    promise: 'operations on different machines at once do not touch each other',
    async run(t) {
      const ids: string[] = [];
      while (ids.length < 8) ids.push(await t.speculative());
      const acks = await Promise.all(ids.map(async (id, i) => accepted(await t.create(id, t.stranger(i)), 'Create of a SPECULATIVE machine')));
      check(new Set(acks.map((a) => a.operationId)).size === 8, '8 different operation ids', acks.map((a) => quoted(a.operationId)).join(', '));
      acks.forEach((ack, i) => check(ack.machine?.id === ids[i], `the ack of ${ids[i]} to show ${ids[i]}`, machineText(ack.machine)));
      await Promise.all(ids.map((id) => t.reach(id, 'Idle')));
      const binding = (i: number) => ({ cluster: `conf-b407-${i}`, metadata: new Map([['own', String(i)]]) });
      await Promise.all(ids.map((id, i) => t.toConfigured(id, { ...binding(i), token: t.at(2, 1, `${t.shard}-${i}`) })));
      for (const [i, id] of ids.entries()) {
        const machine = await t.look(id);
        check(machine.cluster === binding(i).cluster, `cluster ${binding(i).cluster}`, machineText(machine));
        hasMetadata(machine, binding(i).metadata);
      }
    },
  },
  {
    id: 'B408',
    promise: 'an ack shows the machine as it was at one moment: never CONFIGURING or CONFIGURED without the cluster',
    async run(t) {
      const id = await t.idle();
      const same = configureArguments({ cluster: 'conf-b408', metadata: new Map([['k', 'v']]) });
      for (const reply of await atOnce((n) => t.configure(id, { ...same, token: t.stranger(n) }))) {
        const { machine } = accepted(reply, 'equal Configures at once, each with a fresh token');
        const isWhole = machine && ['Configuring', 'Configured'].includes(stateOf(machine)) && machine.cluster === 'conf-b408';
        if (!isWhole) throw new Violation('an ack with CONFIGURING or CONFIGURED and cluster "conf-b408"', machineText(machine), reply.exchange);
      }
      await t.reach(id, 'Configured');
    },
  },
  {
    id: 'B409',
    alsoIn: ['cloud'],
    needs: ['delete'],
    promise: '16 Deletes at once are one operation',
    async run(t) {
      const id = await t.idle();
      oneOperation(await atOnce((n) => t.delete(id, t.stranger(n))), 'Delete');
      await t.reach(id, 'Speculative');
      await listedOnce(t, id, 'Speculative');
    },
  },
]);

function atOnce<T>(call: (n: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: AT_ONCE }, (_, n) => call(n)));
}

function shuffled<T>(t: Trial, list: readonly T[]): readonly T[] {
  const rest = [...list];
  return list.map(() => rest.splice(t.pick(rest.length), 1)[0]!);
}

function oneOperation(replies: readonly Reply<TransitionAck>[], kind: string): void {
  const ids = new Set(replies.map((reply) => accepted(reply, `${kind} repeated at the same moment, each with a fresh token`).operationId));
  check(ids.size === 1 && !ids.has(''), 'one operation id in all acks', [...ids].map(quoted).join(', '));
}

async function listedOnce(t: Trial, id: string, state: MachineState): Promise<void> {
  const listed = (await t.inventory()).filter((m) => m.id === id);
  const isRight = listed.length === 1 && stateOf(listed[0]!) === state;
  check(isRight, `${id} once in List, ${stateText(state)}`, listed.length === 0 ? 'it is not listed' : listed.map(machineText).join('; '));
}
