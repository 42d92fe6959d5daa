/** What the shard answered, as lines for people. */
import type { NeedView } from '../../api/gen/bigfleet/v1alpha1/shardread.ts';
import type { MachineView, NeedExplanation } from '../../api/gen/bigfleet/v1alpha1/view.ts';
import { camel, enumName, needName, sentenceOfMachine, stateName } from './json.ts';

/** Label and value; several values stand below each other. Empty ones are left out. */
export function block(title: string, fields: readonly (readonly [label: string, ...values: string[]])[]): string {
  const shown = fields.filter(([, ...values]) => values.some((value) => value !== ''));
  const width = Math.max(0, ...shown.map(([label]) => label.length));
  const lines = shown.flatMap(([label, ...values]) => values.filter((value) => value !== '').map((value, i) => `  ${(i === 0 ? label : '').padEnd(width)}  ${value}`));
  return [title, ...lines].join('\n');
}

export function machineText(machine: MachineView, serves: readonly NeedView[] = []): string {
  const { operation } = machine;
  const dollars = (Number(machine.priceMicroUsdPerHour) / 1_000_000).toFixed(4);
  return block(`Machine ${machine.id}: ${stateName(machine.state)}`, [
    ['why', sentenceOfMachine(machine)],
    ['since', instant(machine.sinceUnixNanos)],
    ['cluster', machine.clusterId],
    ['node', machine.nodeName],
    ['is', [machine.instanceType, machine.zone, camel(enumName('capacityType', machine.capacityType)), `$${dollars} per hour`, amounts(machine.allocatable?.resources)].filter(Boolean).join(', ')],
    ['host', machine.host?.ref ?? ''],
    ['runs', machine.hinted ? `${count(machine.pods, 'Pod')}${machine.doNotDisrupt ? ', one of which must not be disrupted' : ''}` : ''],
    ['serves', ...serves.map(rowName)],
    ['call', operation ? `${operation.kind}, attempt ${String(operation.attempts)}, since ${instant(operation.startedAtUnixNanos)}${operation.lastError ? `: ${operation.lastError}` : ''}` : ''],
    ['error', machine.lastError],
  ]);
}

export function needText(need: NeedView, sentence: string, explained?: NeedExplanation): string {
  const { matchingSupply: supply, preemption } = need;
  return block(`Demand ${needName(need)}: ${stateOf(need, explained)}`, [
    ['why', sentence],
    ['asks', `${amounts(need.need?.aggregateResources)} in units of ${amounts(need.need?.minUnit)}`],
    ['where', ...(need.need?.requirements ?? []).map((r) => `${r.key} ${camel(enumName('operator', r.operator))} ${r.values.join(', ')}`.trim())],
    ['since', [instant(need.arrivalUnixNanos), need.ageCyclesUnmet > 0 ? `unmet for ${count(need.ageCyclesUnmet, 'cycle')}` : ''].filter(Boolean).join(', ')],
    ['domain', need.sameDomain],
    ['domains', ...need.sameCandidates.map((c) => `${c.domain}: could cover ${(c.coveragePerMille / 10).toFixed(1)} %`)],
    ['supply', supply ? `${most(supply.idle)} idle, ${most(supply.speculative)} to be bought, ${most(supply.configured)} in use would fit` : ''],
    // They may be emptied already, or be left alone because the shard does not act: all that is sure is that they are chosen.
    ['to preempt', preemption ? `${count(preemption.victimsFound, 'machine')} chosen, to free ${amounts(preemption.capacityFreed?.resources)}` : ''],
    ['machines', ...(explained?.machines ?? []).map((m) => `${m.id} (${stateName(m.state)})`), ...(explained?.machinesTruncated ? ['…'] : [])],
    ['ahead', ...(explained?.ahead ?? []).map((other) => `${rowName(other)}: holds ${count(other.claimedMachineCount, 'machine')}`)],
  ]);
}

/** What a plan cannot know has no number among the reasons, but a word. */
function stateOf(need: NeedView, explained: NeedExplanation | undefined): string {
  if (need.satisfied) return 'satisfied';
  return enumName('unmetReason', need.unmetReason) || explained?.why?.code || 'unmet';
}

/** Rows of one profile differ by their unit. */
function rowName(need: NeedView): string {
  return `${needName(need)}, units of ${amounts(need.need?.minUnit)}`;
}

export function instant(unixNanos: bigint): string {
  return unixNanos === 0n ? '' : new Date(Number(unixNanos / 1_000_000n)).toISOString();
}

function amounts(resources: ReadonlyMap<string, string> | undefined): string {
  return [...(resources ?? [])].map(([name, amount]) => `${name} ${amount}`).join(', ') || 'nothing';
}

/** Counts stop at 256. */
function most(count: number): string {
  return count >= 256 ? '256 or more' : String(count);
}

function count(n: number, what: string): string {
  return `${String(n)} ${what}${n === 1 ? '' : 's'}`;
}
