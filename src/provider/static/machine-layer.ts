import { GROUP } from '../../api/constants.ts';
import { labelValue } from '../../api/names.ts';
import type { CapacityType } from '../kit/machine.ts';
import { hookKinds, type Hook, type HookKind } from './hook.ts';
import type { YamlField } from './yaml-field.ts';

/** Texts by name; null takes an inherited one away. */
export type TextMap = ReadonlyMap<string, string | null>;

/** What one place of the file says about machines: `defaults`, a group, or a machine. All of it may be absent. */
export interface MachineLayer {
  readonly address?: string;
  readonly providerId?: string;
  readonly instanceType?: string;
  readonly zone?: string;
  readonly capacityType?: CapacityType;
  readonly pricePerHour?: number;
  readonly interruptionProbability?: number;
  readonly initially?: 'on' | 'off';
  readonly resources?: TextMap;
  readonly allocatable?: TextMap;
  readonly labels?: TextMap;
  readonly variables?: TextMap;
  readonly hooks?: ReadonlyMap<HookKind, Partial<Hook> | null>;
}

export const layerFields = [
  'address', 'providerId', 'instanceType', 'zone', 'capacityType', 'pricePerHour', 'interruptionProbability', 'initially',
  'resources', 'allocatable', 'labels', 'variables', 'hooks',
] as const;

const hookFields = ['run', 'timeout', 'attempts', 'backoff', 'maxBackoff', 'killAfter', 'retryOn', 'every', 'within', 'leaves'] as const;
/** Fields that only some kinds of hooks have. */
const onlyFor: Readonly<Partial<Record<string, readonly HookKind[]>>> = { every: ['ready'], within: ['ready'], leaves: ['recover'] };
const neverFor: Readonly<Partial<Record<string, readonly HookKind[]>>> = { attempts: ['ready'], backoff: ['ready'], maxBackoff: ['ready'] };

const LABEL_NAME = /^([a-z0-9]([a-z0-9.-]*[a-z0-9])?\/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;
const VARIABLE = /^[A-Z_][A-Z0-9_]*$/;
/** Reads the fields that `defaults`, groups and machines have in common. */
export function readLayer(fields: ReadonlyMap<string, YamlField>): MachineLayer {
  const layer = defined({
    address: fields.get('address')?.text(),
    providerId: fields.get('providerId')?.text(),
    instanceType: fields.get('instanceType')?.text(),
    zone: fields.get('zone')?.text(),
    capacityType: fields.get('capacityType')?.oneOf(['BareMetal', 'Reserved', 'OnDemand', 'Spot']),
    pricePerHour: fields.get('pricePerHour')?.number(0),
    interruptionProbability: fields.get('interruptionProbability')?.number(0, 1),
    initially: fields.get('initially')?.oneOf(['on', 'off']),
    resources: readTexts(fields.get('resources')),
    allocatable: readTexts(fields.get('allocatable')),
    labels: readTexts(fields.get('labels'), checkLabel),
    variables: readTexts(fields.get('variables'), checkVariable),
    hooks: readHooks(fields.get('hooks')),
  });
  return layer;
}

/** What is said nearer to a machine wins; maps are joined name by name, hooks field by field. */
export function mergeLayers(far: MachineLayer, near: MachineLayer): MachineLayer {
  const hooks = new Map(far.hooks);
  for (const [kind, hook] of near.hooks ?? []) hooks.set(kind, hook && { ...hooks.get(kind), ...hook });
  return {
    ...far, ...near, hooks,
    resources: mergeTexts(far.resources, near.resources),
    allocatable: mergeTexts(far.allocatable, near.allocatable),
    labels: mergeTexts(far.labels, near.labels),
    variables: mergeTexts(far.variables, near.variables),
  };
}

function mergeTexts(far: TextMap = new Map(), near: TextMap = new Map()): TextMap {
  return new Map([...far, ...near]);
}

function readTexts(field: YamlField | undefined, check?: (name: string, field: YamlField) => void): TextMap | undefined {
  const fields = field?.map();
  if (!fields) return undefined;
  const texts = new Map<string, string | null>();
  for (const [name, one] of fields) {
    check?.(name, one);
    const text = one.isNull ? null : one.text();
    if (text !== undefined) texts.set(name, text);
  }
  return texts;
}

function checkVariable(name: string, field: YamlField): void {
  if (!VARIABLE.test(name)) field.bad(`cannot be an environment variable; write it with A-Z, 0-9 and _, such as ${name.toUpperCase().replace(/[^A-Z0-9_]/g, '_')}`);
  else if (name.startsWith('BIGFLEET_')) field.bad('is a name that the provider sets itself; choose one without BIGFLEET_');
}

/** By labels of these names Nodes are known and objects found: they are not for inventories. */
function checkLabel(name: string, field: YamlField): void {
  const prefix = name.slice(0, Math.max(name.lastIndexOf('/'), 0));
  if (prefix === GROUP || prefix.endsWith(`.${GROUP}`)) field.bad(`is a label that BigFleet sets itself; choose a name outside ${GROUP}`);
  else if (!LABEL_NAME.test(name)) field.bad('cannot be the name of a label; write it as name or example.com/name');
  const value = field.isNull ? undefined : field.text();
  if (value !== undefined && labelValue(value) !== value) {
    field.bad(`${JSON.stringify(value)} cannot be the value of a label: letters, digits, '-', '_' and '.', at most 63, a letter or digit at both ends`);
  }
}

function readHooks(field: YamlField | undefined): MachineLayer['hooks'] {
  const fields = field?.map(hookKinds);
  if (!fields) return undefined;
  const hooks = new Map<HookKind, Partial<Hook> | null>();
  for (const kind of hookKinds) {
    const hook = fields.get(kind);
    if (hook) hooks.set(kind, hook.isNull ? null : readHook(kind, hook));
  }
  return hooks;
}

function readHook(kind: HookKind, field: YamlField): Partial<Hook> {
  const fields = field.map(hookFields.filter((name) => onlyFor[name]?.includes(kind) !== false && !neverFor[name]?.includes(kind)));
  return defined({
    run: readCommand(fields?.get('run')),
    timeoutMs: fields?.get('timeout')?.durationMs(1),
    attempts: fields?.get('attempts')?.wholeNumber(1, 1_000),
    backoffMs: fields?.get('backoff')?.durationMs(1),
    maxBackoffMs: fields?.get('maxBackoff')?.durationMs(1),
    killAfterMs: fields?.get('killAfter')?.durationMs(0),
    retryOn: fields?.get('retryOn')?.list()?.flatMap((code) => code.wholeNumber(1, 255) ?? []),
    everyMs: fields?.get('every')?.durationMs(1),
    withinMs: fields?.get('within')?.durationMs(1),
    leaves: fields?.get('leaves')?.oneOf(['on', 'off']),
  });
}

function readCommand(field: YamlField | undefined): string[] | undefined {
  if (!field) return undefined;
  const parts = field.list();
  if (!parts) return undefined;
  if (parts.length === 0) return field.bad('must name a program, for example [./configure.sh]');
  const texts = parts.map((part) => part.text());
  return texts.every((text) => text !== undefined) ? (texts as string[]) : undefined;
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** The same without what is undefined, so that spreading it overrides nothing by accident. */
function defined<T extends object>(value: T): Defined<T> {
  return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined)) as Defined<T>;
}
