import { checkInstance } from '../kit/instance-check.ts';
import type { Instance } from '../kit/machine.ts';
import { hookDefaults, hookKinds, type Hook, type HookKind } from './hook.ts';
import type { RangedId } from './id-range.ts';
import type { StaticMachine } from './inventory.ts';
import type { MachineLayer, TextMap } from './machine-layer.ts';
import { fillIn } from './placeholders.ts';
import type { YamlField } from './yaml-field.ts';

export interface Assembly extends RangedId {
  /** Defaults, group and machine, joined. */
  readonly layer: MachineLayer;
  readonly group: string;
  /** Where problems are noted: the machine's place in the file. */
  readonly field: YamlField;
  readonly canRun: (program: string) => string | undefined;
}

type Fill = (text: string, where: string) => string;

/** Makes the machine that the layers say; undefined, with problems noted, if they say too little or what cannot be. */
export function assembleMachine(assembly: Assembly): StaticMachine | undefined {
  const { id, n, layer, group, field } = assembly;
  let clean = true;
  const bad = (text: string): void => {
    clean = false;
    field.bad(text);
  };
  const names = new Map([['id', id], ['n', n]]);
  const fill: Fill = (text, where) =>
    fillIn(text, names, (name) => bad(`${where}: there is no {${name}} here; known are ${[...names.keys()].join(', ')}. A literal {${name}} is written {{${name}}}`));
  const address = fill(layer.address ?? '{id}', 'address');
  if (address === '' || address.trim() !== address) bad(`address ${JSON.stringify(address)} must not be empty, nor begin or end with a space: it is what hooks reach the host by (said here, in its group or in defaults)`);
  names.set('address', address).set('group', group).set('zone', layer.zone ?? '').set('instanceType', layer.instanceType ?? '');
  const variables = Object.fromEntries(Object.entries(present(layer.variables)).map(([name, text]) => [name, fill(text, `variables.${name}`)]));
  const host = { provider: 'static', ref: fill(layer.providerId ?? 'static:///{id}', 'providerId') };
  for (const [name, text] of Object.entries(variables)) names.set(name, text);
  const hooks = assembleHooks(assembly, fill, bad);
  const { configure, drain, powerOn, powerOff } = hooks;
  if (!configure || !drain) bad(`needs ${configure ? '' : 'hooks.configure (how it joins a cluster)'}${configure || drain ? '' : ' and '}${drain ? '' : 'hooks.drain (how it leaves one)'}, here, in its group or in defaults`);
  if (!powerOn !== !powerOff) bad('needs both hooks.powerOn and hooks.powerOff, or neither: a machine that can be switched only one way is lost');
  if (layer.initially === 'off' && !powerOn) bad('initially: off needs hooks.powerOn and hooks.powerOff');
  const instance = instanceFrom(id, layer, (layer.initially ?? (powerOn ? 'off' : 'on')) === 'off' ? undefined : host);
  for (const problem of checkInstance(instance, true)) bad(`${problem.field} ${problem.text} (said here, in its group or in defaults)`);
  return clean ? { instance, host, address, group, variables, hooks } : undefined;
}

function instanceFrom(id: string, layer: MachineLayer, host: StaticMachine['host'] | undefined): Instance {
  const resources = present(layer.resources);
  const allocatable = present(layer.allocatable);
  return {
    id, resources,
    ...(host && { host }),
    instanceType: layer.instanceType ?? '',
    zone: layer.zone ?? '',
    capacityType: layer.capacityType ?? 'BareMetal',
    pricePerHour: layer.pricePerHour ?? 0,
    interruptionProbability: layer.interruptionProbability ?? 0,
    // What is said of allocatable is what differs from the machine's size.
    allocatable: { ...resources, ...allocatable },
    labels: present(layer.labels),
    state: host ? 'Idle' : 'Speculative',
  };
}

function assembleHooks({ layer, canRun }: Assembly, fill: Fill, bad: (text: string) => void): Partial<Record<HookKind, Hook>> {
  const hooks: Partial<Record<HookKind, Hook>> = {};
  for (const kind of hookKinds) {
    const said = layer.hooks?.get(kind);
    if (!said) continue;
    if (!said.run) {
      bad(`hooks.${kind}.run is missing: the command as a list, for example [./${kind.toLowerCase()}.sh]`);
      continue;
    }
    const run = said.run.map((part) => fill(part, `hooks.${kind}.run`));
    const obstacle = canRun(run[0]!);
    if (obstacle !== undefined) bad(`hooks.${kind}.run: ${obstacle}`);
    hooks[kind] = { ...hookDefaults[kind], ...said, run };
  }
  return hooks;
}

function present(texts: TextMap | undefined): Record<string, string> {
  return Object.fromEntries([...(texts ?? [])].filter((pair): pair is [string, string] => pair[1] !== null));
}
