import { readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { assembleMachine } from './assemble-machine.ts';
import { canRun } from './can-run.ts';
import { HostClaims } from './host-claims.ts';
import { expandIds, type RangedId } from './id-range.ts';
import type { StaticInventory, StaticMachine } from './inventory.ts';
import { layerFields, mergeLayers, readLayer, type MachineLayer } from './machine-layer.ts';
import { YamlField, type Problem } from './yaml-field.ts';

/** An inventory file that cannot be used. The message names every mistake as `file:line: path: what to do`. */
export class InventoryError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    const shown = problems.slice(0, PROBLEMS_SHOWN);
    if (problems.length > shown.length) shown.push(`… and ${problems.length - shown.length} more`);
    super(shown.join('\n'));
    this.name = 'UsageError';
    this.problems = problems;
  }
}

const PROBLEMS_SHOWN = 20;
const MAX_ID_LENGTH = 128;
const ID = /^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/;

/** The text of an inventory file. Throws an InventoryError. */
export function readInventoryText(path: string): string {
  let problem: string;
  try {
    // Anything else, such as a pipe, would be waited for, and nothing else done meanwhile.
    if (statSync(path).isFile()) return readFileSync(path, 'utf8');
    problem = 'it is not a file';
  } catch (error) {
    problem = (error as NodeJS.ErrnoException).code ?? String(error);
  }
  throw new InventoryError([`--inventory: cannot read ${path}: ${problem}`]);
}

/** Reads and checks a text. `path` is where it comes from: for messages, and because hooks are looked for beside it. Throws an InventoryError. */
export function parseInventory(text: string, path: string): StaticInventory {
  const { root, problems } = YamlField.parse(text);
  const directory = dirname(resolve(path));
  // What YAML already objects to would only be objected to again.
  const inventory = problems.length > 0 ? undefined : readRoot(root, directory);
  if (problems.length > 0 || !inventory) throw new InventoryError(linesOf(problems, path));
  return inventory;
}

function readRoot(root: YamlField, directory: string): StaticInventory | undefined {
  const fields = root.map(['version', 'concurrency', 'onRestart', 'defaults', 'groups', 'machines']);
  if (!fields) return undefined;
  const version = fields.get('version');
  if (!version) root.bad('needs a first line "version: 1"');
  else version.oneOf(['1']);
  const concurrency = fields.get('concurrency')?.wholeNumber(1, 10_000) ?? 10;
  const onRestart = fields.get('onRestart')?.oneOf(['resume', 'fail']) ?? 'resume';
  const defaultFields = fields.get('defaults')?.map(layerFields);
  const defaults = defaultFields ? readLayer(defaultFields) : {};
  const groups = new Map<string, MachineLayer>();
  for (const [name, field] of fields.get('groups')?.map() ?? []) {
    const group = field.map(layerFields);
    if (group) groups.set(name, readLayer(group));
  }
  const list = fields.get('machines');
  if (!list) root.bad('needs "machines:", a list; [] if there are none yet');
  const machines = new Map<string, StaticMachine>();
  const context: Context = { directory, defaults, groups, machines, lineOf: new Map(), hosts: new HostClaims(), canRun: canRun(directory) };
  for (const field of list?.list() ?? []) readMachines(field, context);
  return { directory, concurrency, onRestart, machines };
}

interface Context {
  readonly directory: string;
  readonly defaults: MachineLayer;
  readonly groups: ReadonlyMap<string, MachineLayer>;
  readonly machines: Map<string, StaticMachine>;
  readonly lineOf: Map<string, number>;
  readonly hosts: HostClaims;
  readonly canRun: (program: string) => string | undefined;
}

/** One item of the list: a machine, or a range of machines that are alike. */
function readMachines(field: YamlField, context: Context): void {
  const fields = field.map(['id', 'ids', 'group', ...layerFields]);
  if (!fields) return;
  const groupName = fields.get('group')?.text();
  const group = groupName === undefined ? {} : context.groups.get(groupName);
  if (!group) return void fields.get('group')?.bad(`there is no group ${JSON.stringify(groupName)}; groups are ${[...context.groups.keys()].join(', ') || 'not given at all'}`);
  const layer = mergeLayers(mergeLayers(context.defaults, group), readLayer(fields));
  for (const id of readIds(field, fields)) {
    const first = context.lineOf.get(id.id);
    if (first !== undefined) {
      field.bad(`id ${JSON.stringify(id.id)} is used on line ${first} already`);
      continue;
    }
    context.lineOf.set(id.id, field.line);
    const machine = assembleMachine({ ...id, layer, group: groupName ?? '', field, canRun: context.canRun });
    if (!machine) continue;
    context.hosts.claim(machine, field);
    context.machines.set(id.id, machine);
  }
}

function readIds(field: YamlField, fields: ReadonlyMap<string, YamlField>): readonly RangedId[] {
  const [one, range] = [fields.get('id'), fields.get('ids')];
  if ((one === undefined) === (range === undefined)) {
    field.bad('needs either id: NAME or ids: NAME[001-200]');
    return [];
  }
  const text = (one ?? range)?.text();
  if (text === undefined) return [];
  const ids = one ? [{ id: text, n: '' }] : expandIds(text);
  if (!ids) {
    range?.bad(`${JSON.stringify(text)} is not a range; write for instance rack1-[01-40]`);
    return [];
  }
  const wrong = ids.find(({ id }) => !ID.test(id) || id.length > MAX_ID_LENGTH);
  if (!wrong) return ids;
  (one ?? range)?.bad(`${JSON.stringify(wrong.id)} cannot be an id: letters, digits, '-', '_' and '.', at most ${MAX_ID_LENGTH}, a letter or digit at both ends`);
  return [];
}

/** In the order of the file; what a range of machines has wrong in common is said once. */
function linesOf(problems: readonly Problem[], path: string): string[] {
  const sorted = [...problems].sort((a, b) => a.line - b.line);
  return [...new Set(sorted.map(({ line, path: at, text }) => `${path}:${line}: ${at === '' ? 'the file' : `${at}:`} ${text}`))];
}
