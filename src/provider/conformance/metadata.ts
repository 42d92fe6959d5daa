import { inArea, type Behaviour } from './behaviour.ts';
import { wholeOrRefused } from './errors.ts';
import { accepted, check, notFenced } from './expectation.ts';
import { hasMetadata } from './metadata-check.ts';
import { stateOf } from './trial.ts';
import { machineText } from './wire-text.ts';

/** B5xx (spec: provider 1.4). shard_metadata is the shard's memory: the provider keeps it byte for byte and never reads it. */
export const metadata: readonly Behaviour[] = inArea('metadata', 'core', [
  {
    id: 'B501',
    promise: '55 keys come back byte for byte, with NUL, control characters, emoji, empty values and trailing spaces',
    async run(t) {
      const sent = hostileMetadata();
      const id = await t.configured({ metadata: sent });
      for (const _time of [1, 2, 3, 4]) hasMetadata(await t.look(id), sent);
      const listed = (await t.inventory(['Configured'])).find((m) => m.id === id);
      check(listed !== undefined, `${id} in List of CONFIGURED machines`, 'it is not there');
      if (listed) hasMetadata(listed, sent);
    },
  },
  {
    id: 'B502',
    promise: 'nothing of a former binding is left in the next one',
    async run(t) {
      const id = await t.configured({ metadata: new Map([['first/a', '1'], ['first/b', '2']]) });
      const { machine } = await t.toDrained(id);
      check(machine.shardMetadata.size === 0, 'no shard_metadata once drained', machineText(machine));
      const second = new Map([['second/c', '3']]);
      await t.toConfigured(id, { metadata: second });
      hasMetadata(await t.look(id), second);
    },
  },
  {
    id: 'B503',
    promise: '2 MiB of metadata are kept whole, or refused whole; never truncated',
    run: (t) => wholeOrRefused(t, new Map(Array.from({ length: 256 }, (_, i) => [`conf/large-${i}`, `${i}:`.padEnd(8 * 1024, 'y')]))),
  },
  {
    id: 'B504',
    promise: 'shard_metadata is there from the start of CONFIGURING',
    async run(t) {
      const id = await t.idle();
      const sent = new Map([['mid/flight', 'yes'], ['mid/empty', '']]);
      const ack = accepted(await t.configure(id, { metadata: sent }), 'Configure of an IDLE machine');
      const { all } = await t.trace(id, 'Configured', ack.machine);
      for (const machine of all) if (['Configuring', 'Configured'].includes(stateOf(machine))) hasMetadata(machine, sent);
    },
  },
  {
    id: 'B505',
    promise: 'the stored copy is the one that was acknowledged, whatever the sender does to its map, or repeats with another map or cluster',
    async run(t) {
      const id = await t.idle();
      const sent = new Map([['k', 'acknowledged']]);
      const kept = new Map(sent);
      accepted(await t.configure(id, { cluster: 'conf-b505', metadata: sent }), 'Configure of an IDLE machine with a fresh token');
      sent.set('k', 'changed').set('added', 'later');
      notFenced(await t.configure(id, { cluster: 'conf-b505-other', metadata: sent }), 'the token is fresh');
      const machine = await t.reach(id, 'Configured');
      check(machine.cluster === 'conf-b505', 'the cluster that was acknowledged, "conf-b505"', machineText(machine));
      hasMetadata(machine, kept);
      await t.configure(id, { cluster: 'conf-b505', metadata: sent });
      hasMetadata(await t.look(id), kept);
    },
  },
]);

/** 55 keys that providers have lost: the known ones with their NUL, controls, emoji, object-prototype names, empty values. */
export function hostileMetadata(): ReadonlyMap<string, string> {
  const map = new Map<string, string>([
    ['bigfleet.lucy.sh/assigned-priority', '100'],
    ['bigfleet.lucy.sh/assigned-group', 'topology.bigfleet/rack\0gang-7'],
    ['key with\0NUL', 'value with\0NUL'],
    ['\0', '\0'],
    ['__proto__', 'data'],
    ['constructor', 'data'],
    ['toString', ''],
    ['hasOwnProperty', 'data'],
    ['empty', ''],
    ['trailing ', 'spaces  '],
    [' leading', '\ttab'],
    ['newline\n', 'a\r\nb'],
    ['quotes"\'`', '\\"\\'],
    ['emoji \u{1f6f0}\ufe0f', '\u{1f469}\u200d\u{1f680}'],
    ['combining e\u0301', '\u00e9'],
    ['\ufeffbom', '\ufeff'],
    ['\u2028', '\u2029'],
    ['UPPER', 'upper'],
    ['upper', 'UPPER'],
    ['json', '{"a":[1,null]}'],
    ['yaml', 'no: "yes"\n---'],
    ['number', '007'],
    ['long', 'z'.repeat(4096)],
  ]);
  for (let c = 1; map.size < 40; c++) map.set(`c0 ${String.fromCharCode(c)}`, `${String.fromCharCode(c)}${c}`);
  for (let c = 0x80; map.size < 55; c++) map.set(`c1 ${String.fromCharCode(c)}`, `${String.fromCharCode(c)}${c}`);
  return map;
}
