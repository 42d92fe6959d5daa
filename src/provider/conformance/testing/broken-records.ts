import { CapacityType, type Machine } from '../../../api/gen/bigfleet/v1alpha1/provider.ts';
import type { Fault } from './fault.ts';
import { state, type ModelProvider } from './model-provider.ts';
import { bound } from './rules.ts';

type Text = (text: string) => string;

/** Wrong about metadata, and about what a record says. */
export const brokenRecords: readonly Fault[] = [
  stores('texts end at their first NUL', (text) => text.split('\0')[0] ?? '', ['B501', 'B1202', 'MetadataEchoedOnGetAndList', 'MetadataUnknownKeysPreservedVerbatim']),
  stores('spaces around keys and values are cut off', (text) => text.trim(), ['B501', 'MetadataUnknownKeysPreservedVerbatim'], ['B1202']),
  stores('text is brought into its composed form', (text) => text.normalize('NFC'), ['B501']),
  stores('control characters are replaced', (text) => text.replace(/\p{Cc}/gu, (c) => (c === '\0' ? c : '?')), ['B501', 'B1202']),
  stores('values are cut after 4 KiB', (text) => text.slice(0, 4096), ['B503']),
  keeps('empty values are dropped', (entries) => entries.filter(([, value]) => value !== ''), ['B501', 'B504', 'MetadataUnknownKeysPreservedVerbatim']),
  keeps('only the first 256 keys are kept', (entries) => entries.slice(0, 256), ['B209']),
  keeps('BigFleet\'s own keys are taken out', (entries) => entries.filter(([key]) => !key.startsWith('bigfleet.lucy.sh/')), ['B501', 'MetadataEchoedOnGetAndList']),
  keeps('a key is added', (entries) => [...entries, ['provider/seen', 'yes']], ['B501', 'B502', 'B504', 'B1202', 'MetadataEchoedOnGetAndList']),
  {
    name: 'metadata is kept in a plain object, where __proto__ is no key',
    caughtBy: ['B501'],
    breakIt: (m) => void (m.stored = (metadata) => {
      const object: Record<string, string> = {};
      for (const [key, value] of metadata) object[key] = value;
      return new Map(Object.entries(object));
    }),
  },
  {
    name: 'List leaves metadata out',
    caughtBy: ['B501', 'MetadataEchoedOnGetAndList'],
    breakIt: (m) => void (m.listed = (slot) => ({ ...m.shown(slot), shardMetadata: new Map() })),
  },
  {
    name: 'a binding adds its metadata to the former',
    caughtBy: ['B502', 'B1202'],
    breakIt(m) {
      const { bind } = bound(m);
      const former = new Map<string, Map<string, string>>();
      m.bind = (call, slot) => {
        bind(call, slot);
        slot.machine.shardMetadata = new Map([...(former.get(call.id) ?? []), ...slot.machine.shardMetadata]);
        former.set(call.id, slot.machine.shardMetadata);
      };
    },
  },
  {
    name: 'metadata shows only once the machine is CONFIGURED',
    caughtBy: ['B504'],
    breakIt: (m) => showsInstead(m, (machine) => machine.state === state.configuring && (machine.shardMetadata = new Map())),
  },
  {
    name: 'a repeated Configure overwrites metadata',
    caughtBy: ['B505'],
    breakIt(m) {
      const { repeat } = bound(m);
      m.repeat = (call, slot) => {
        if (call.kind === 'configure') m.bind(call, slot);
        return repeat(call, slot);
      };
    },
  },
  shows('the zone is a label, too', ['B801', 'LabelShape'], (machine) => machine.labels.set('zone', machine.zone)),
  shows('there is no instance type', ['B801', 'LabelShape', 'B1101'], (machine) => (machine.instanceType = '')),
  shows('a price is not a number', ['B802', 'CostFieldBounds'], (machine) => (machine.pricePerHour = NaN)),
  shows('a price is negative', ['B802', 'CostFieldBounds'], (machine) => (machine.pricePerHour = -1)),
  shows('probabilities are percentages', ['B802', 'CostFieldBounds'], (machine) => (machine.interruptionProbability *= 100)),
  shows('spot capacity is never interrupted', ['B802'], (machine) => (machine.interruptionProbability = 0)),
  shows('a CONFIGURED machine shows no host', ['B107', 'B803', 'B805'], (machine) => machine.state === state.configured && (machine.host = undefined)),
  shows('a SPECULATIVE machine has a host', ['B107', 'B109', 'B803', 'B807'], (machine) => machine.state === state.speculative && (machine.host = { provider: 'model', ref: 'soon' })),
  shows('an IDLE machine has a cluster', ['B101', 'B803', 'B106'], (machine) => machine.state === state.idle && (machine.cluster = 'none'), ['B403']),
  shows('quantities are prose', ['B804'], (machine) => machine.resources?.resources.set('cpu', '4 cores')),
  shows('a resource is zero', ['B804'], (machine) => machine.resources?.resources.set('cpu', '0')),
  shows('more can be allocated than there is', ['B804'], (machine) => machine.allocatable?.resources.set('cpu', '5')),
  shows('a host has no provider', ['B805'], (machine) => machine.host && (machine.host.provider = '')),
  shows('a host is called by another name once CONFIGURED', ['B805'], (machine) => machine.host && machine.state === state.configured && (machine.host.ref += '?')),
  shows('a host has no zone', ['B806'], (machine) => machine.host && (machine.zone = '')),
  shows('a host has no capacity type', ['B806'], (machine) => machine.host && (machine.capacityType = CapacityType.CAPACITY_TYPE_UNSPECIFIED)),
  shows('one slot lacks its zone', ['B1101'], (machine) => machine.id === 'slot-100' && (machine.zone = '')),
];

function stores(name: string, change: Text, caughtBy: readonly string[], also: readonly string[] = []): Fault {
  return keeps(name, (entries) => entries.map(([key, value]) => [change(key), change(value)]), caughtBy, also);
}

function keeps(name: string, change: (entries: readonly (readonly [string, string])[]) => readonly (readonly [string, string])[], caughtBy: readonly string[], also: readonly string[] = []): Fault {
  return { name, caughtBy, also, breakIt: (m) => void (m.stored = (metadata) => new Map(change([...metadata]))) };
}

function shows(name: string, caughtBy: readonly string[], change: (machine: Machine) => unknown, also: readonly string[] = []): Fault {
  return { name, caughtBy, also, breakIt: (m) => showsInstead(m, change) };
}

function showsInstead(m: ModelProvider, change: (machine: Machine) => unknown): void {
  const { shown } = bound(m);
  m.shown = (slot) => {
    const machine = shown(slot);
    change(machine);
    return machine;
  };
}
