import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InventoryError, parseInventory, readInventoryText } from './read-inventory.ts';
import type { StaticMachine } from './inventory.ts';

let directory: string;
beforeAll(() => {
  directory = fs.mkdtempSync(join(tmpdir(), 'inventory-'));
  for (const name of ['join.sh', 'leave.sh', 'on.sh', 'off.sh']) fs.writeFileSync(join(directory, name), '#!/bin/sh\n', { mode: 0o755 });
  fs.writeFileSync(join(directory, 'plain.sh'), '#!/bin/sh\n', { mode: 0o644 });
});
afterAll(() => fs.rmSync(directory, { recursive: true }));

const read = (text: string): ReadonlyMap<string, StaticMachine> => parseInventory(text, join(directory, 'fleet.yaml')).machines;

/** `line: path: text` of each problem. */
function problems(text: string): string[] {
  try {
    read(text);
  } catch (error) {
    if (error instanceof InventoryError) return error.problems.map((problem) => problem.replace(`${join(directory, 'fleet.yaml')}:`, ''));
    throw error;
  }
  throw new Error('there is nothing wrong with it');
}

const base = `version: 1
defaults:
  zone: rack-1
  instanceType: nuc
  resources: {cpu: 8, memory: 32Gi}
  hooks:
    configure: {run: [./join.sh, "{id}"]}
    drain: {run: [./leave.sh]}
`;

describe('what machines have in common is said once', () => {
  it('in defaults and groups; nearer wins, maps are joined by name, null takes away', () => {
    const machines = read(`${base}  pricePerHour: 0.05
  labels: {site: one, tier: "2"}
groups:
  big:
    instanceType: r750
    resources: {cpu: 64, nvidia.com/gpu: 4}
    allocatable: {cpu: 62}
    labels: {tier: null, gpu: yes}
    hooks: {drain: {timeout: 20m}}
machines:
  - {id: a}
  - {id: b, group: big, pricePerHour: 2.5, zone: rack-2}
`);
    expect(machines.get('a')?.instance).toEqual({
      id: 'a', instanceType: 'nuc', zone: 'rack-1', capacityType: 'BareMetal', pricePerHour: 0.05, interruptionProbability: 0, state: 'Idle',
      host: { provider: 'static', ref: 'static:///a' }, resources: { cpu: '8', memory: '32Gi' }, allocatable: { cpu: '8', memory: '32Gi' }, labels: { site: 'one', tier: '2' },
    });
    expect(machines.get('b')).toMatchObject({
      group: 'big', address: 'b',
      instance: { instanceType: 'r750', zone: 'rack-2', pricePerHour: 2.5, allocatable: { cpu: '62', memory: '32Gi', 'nvidia.com/gpu': '4' } },
      hooks: { drain: { run: ['./leave.sh'], timeoutMs: 1_200_000 }, configure: { timeoutMs: 300_000 } },
    });
    expect(machines.get('b')?.instance.labels).toEqual({ site: 'one', gpu: 'yes' });
  });

  it('in a range', () => {
    const machines = read(`${base}  variables: {BMC: "bmc-{id}", RAW: "{{id}} \${id}"}
machines:
  - {ids: "rack1-[008-010].lan", address: "10.1.0.{n}"}
`);
    expect([...machines].map(([id, { address, variables, hooks }]) => [id, address, variables['BMC'], hooks.configure?.run[1]])).toEqual([
      ['rack1-008.lan', '10.1.0.8', 'bmc-rack1-008.lan', 'rack1-008.lan'],
      ['rack1-009.lan', '10.1.0.9', 'bmc-rack1-009.lan', 'rack1-009.lan'],
      ['rack1-010.lan', '10.1.0.10', 'bmc-rack1-010.lan', 'rack1-010.lan'],
    ]);
    expect(machines.get('rack1-008.lan')?.variables['RAW']).toBe('{id} ${id}');
  });

  it('by an anchor', () => {
    expect(read(`${base}machines:\n  - {id: a, labels: &l {x: "1"}}\n  - {id: b, labels: *l}\n`).get('b')?.instance.labels).toEqual({ x: '1' });
  });
});

it('power hooks make a slot of a machine, unless it is said to be on', () => {
  const power = '    powerOn: {run: [./on.sh]}\n    powerOff: {run: [./off.sh]}\n';
  const machines = read(`${base}${power}machines:\n  - {id: a}\n  - {id: b, initially: on}\n`);
  expect([machines.get('a')?.instance.state, machines.get('a')?.instance.host, machines.get('b')?.instance.state]).toEqual(['Speculative', undefined, 'Idle']);
});

it('all mistakes are found at once, each with its line, its place and the fix', () => {
  expect(problems(`version: 1
concurrency: 0
colour: red
defaults:
  zone: rack-1
  pricePerHour: cheap
  resources: {cpu: lots}
  capacityType: Metal
  variables: {ssh-user: root, BIGFLEET_X: "1"}
  hooks:
    configure: {run: ./join.sh, timeout: 5 minutes, every: 3s}
    drain: {run: [./nowhere.sh]}
    powerOn: {run: [./plain.sh]}
    ready: {run: [no-such-program], attempts: 3}
machines:
  - {id: a, group: none}
  - {id: b, instanceType: t, cpu: 4}
  - {ids: b}
  - {instanceType: t}
  - {id: -b, instanceType: t}
`)).toEqual([
    '2: concurrency: must be a number from 1 to 10000, not 0',
    '3: colour: is not known here; there are version, concurrency, onRestart, defaults, groups, machines',
    '6: defaults.pricePerHour: must be a number of 0 or more, not "cheap"',
    '8: defaults.capacityType: must be one of BareMetal, Reserved, OnDemand, Spot, not "Metal"',
    '9: defaults.variables.ssh-user: cannot be an environment variable; write it with A-Z, 0-9 and _, such as SSH_USER',
    '9: defaults.variables.BIGFLEET_X: is a name that the provider sets itself; choose one without BIGFLEET_',
    '11: defaults.hooks.configure.every: is not known here; there are run, timeout, attempts, backoff, maxBackoff, killAfter, retryOn',
    '11: defaults.hooks.configure.run: must be a list (- …), not "./join.sh"',
    '11: defaults.hooks.configure.timeout: "5 minutes" is not a duration; write for instance 500ms, 30s or 5m',
    '14: defaults.hooks.ready.attempts: is not known here; there are run, timeout, killAfter, retryOn, every, within',
    '16: machines[0].group: there is no group "none"; groups are not given at all',
    expect.stringContaining('17: machines[1].cpu: is not known here') as string,
    '17: machines[1]: hooks.configure.run is missing: the command as a list, for example [./configure.sh]',
    `17: machines[1]: hooks.drain.run: there is no file ${directory}/nowhere.sh`,
    `17: machines[1]: hooks.powerOn.run: ${directory}/plain.sh is not executable; chmod +x it`,
    '17: machines[1]: hooks.ready.run: there is no program no-such-program on the PATH; install it, or write ./no-such-program for a script beside this file',
    '17: machines[1]: needs hooks.configure (how it joins a cluster), here, in its group or in defaults',
    '17: machines[1]: needs both hooks.powerOn and hooks.powerOff, or neither: a machine that can be switched only one way is lost',
    expect.stringMatching(/^17: machines\[1\]: resources .*lots/) as string,
    expect.stringMatching(/^17: machines\[1\]: allocatable .*lots/) as string,
    '18: machines[2].ids: "b" is not a range; write for instance rack1-[01-40]',
    '19: machines[3]: needs either id: NAME or ids: NAME[001-200]',
    '20: machines[4].id: "-b" cannot be an id: letters, digits, \'-\', \'_\' and \'.\', at most 128, a letter or digit at both ends',
  ]);
});

it.each([
  ['nothing', '', ['1: the file must be a map (name: value), not nothing']],
  ['no YAML', 'version: 1\nmachines: [\n', [expect.stringMatching(/^3: the file is not YAML: /) as string]],
  ['a name twice', 'version: 1\nmachines: []\nmachines: []\n', ['3: the file is not YAML: Map keys must be unique']],
  ['neither version nor machines', 'defaults: {}\n', ['1: the file needs a first line "version: 1"', '1: the file needs "machines:", a list; [] if there are none yet']],
  ['another version', 'version: 2\nmachines: []\n', ['1: version: must be one of 1, not "2"']],
])('a file with %s is refused', (_what, text, expected) => {
  expect(problems(text)).toEqual(expected);
});

it('an id that is used twice is refused, also within a range', () => {
  expect(problems(`${base}machines:\n  - {id: a2}\n  - {ids: "a[1-3]"}\n`)).toEqual(['11: machines[1]: id "a2" is used on line 10 already']);
});

describe('two machines that are one host are refused, with both and the fix', () => {
  const fixAddress = 'one host cannot be two machines: give this one an address of its own, or take its line away. What several machines share, such as a jump host, goes into variables';
  const fixId = 'one Node cannot be two machines: give this one a providerId of its own, or leave it out for static:///ID';

  it.each([
    ['an address that was copied', '  - {id: a, address: 10.0.0.1}\n  - {id: b, address: 10.0.0.1}\n', `11: machines[1]: "b" has the address "10.0.0.1" of "a" (line 10): ${fixAddress}`],
    ['the address that another has by its id', '  - {id: a}\n  - {id: b, address: a}\n', `11: machines[1]: "b" has the address "a" of "a" (line 10): ${fixAddress}`],
    ['an address in capitals, with the dot that ends a name', '  - {id: a, address: Host.example.net}\n  - {id: b, address: host.EXAMPLE.net.}\n', `11: machines[1]: "b" has the address "host.EXAMPLE.net." of "a" (line 10): ${fixAddress}`],
    ['one address for a range, said once', '  - {ids: "a[1-3]", address: 10.0.0.1}\n', `10: machines[0]: "a2" has the address "10.0.0.1" of "a1" (line 10): ${fixAddress}`],
    ['a provider id that was copied', '  - {id: a, providerId: "metal:///7"}\n  - {id: b, providerId: "metal:///7"}\n', `11: machines[1]: "b" has the providerId "metal:///7" of "a" (line 10): ${fixId}`],
    ['the provider id that another has by its id', '  - {id: a}\n  - {id: b, providerId: "static:///a"}\n', `11: machines[1]: "b" has the providerId "static:///a" of "a" (line 10): ${fixId}`],
  ])('%s', (_what, machines, problem) => {
    expect(problems(`${base}machines:\n${machines}`)).toEqual([problem]);
  });

  it('machines that are off are no exception', () => {
    const power = '    powerOn: {run: [./on.sh]}\n    powerOff: {run: [./off.sh]}\n';
    expect(problems(`${base}${power}machines:\n  - {id: a, providerId: x}\n  - {id: b, providerId: x}\n`)).toHaveLength(1);
  });
});

it('what Pods can use may not be more than there is, whoever said which', () => {
  expect(problems(`${base}  allocatable: {cpu: 7500m, example.com/slots: 3}
groups:
  small:
    resources: {cpu: 4, memory: 8Gi}
machines:
  - {id: a}
  - {id: b, group: small}
`)).toEqual(['15: machines[1]: allocatable cpu 7500m is more than the 4 of resources: it is what they leave for Pods; lower it, or raise resources (said here, in its group or in defaults)']);
});

it('labels of the project itself are refused: they tell machines apart', () => {
  const text = 'is a label that BigFleet sets itself; choose a name outside bigfleet.lucy.sh';
  expect(problems(`version: 1
defaults: {labels: {control.bigfleet.lucy.sh/state: Idle}}
groups:
  g: {labels: {bigfleet.lucy.sh/owner: me, not-bigfleet.lucy.sh/x: y}}
machines:
  - {id: a, labels: {bigfleet.lucy.sh/machine-id: b}}
`).filter((problem) => problem.endsWith(text))).toEqual([
    `2: defaults.labels.control.bigfleet.lucy.sh/state: ${text}`,
    `4: groups.g.labels.bigfleet.lucy.sh/owner: ${text}`,
    `6: machines[0].labels.bigfleet.lucy.sh/machine-id: ${text}`,
  ]);
});

it('a label that no Node can carry is refused: a comma in it would be the beginning of another label', () => {
  expect(problems(`${base}machines:
  - {id: a, labels: {disk: "fast,bigfleet.lucy.sh/machine-id=b", "x=y,bigfleet.lucy.sh/machine-id": b, note: two words, ok.example.com/A_b: "1.5-x", none: ""}}
`)).toEqual([
    `10: machines[0].labels.disk: "fast,bigfleet.lucy.sh/machine-id=b" cannot be the value of a label: letters, digits, '-', '_' and '.', at most 63, a letter or digit at both ends`,
    `10: machines[0].labels.x=y,bigfleet.lucy.sh/machine-id: cannot be the name of a label; write it as name or example.com/name`,
    `10: machines[0].labels.note: "two words" cannot be the value of a label: letters, digits, '-', '_' and '.', at most 63, a letter or digit at both ends`,
  ]);
});

it('what 200 machines have wrong in common is said once', () => {
  expect(problems(`${base}machines:\n  - {ids: "a[001-200]", zone: ""}\n`)).toHaveLength(1);
});

it.each(['', ' ', ' 10.0.0.1', '10.0.0.1 '])('an address %j is none', (address) => {
  expect(problems(`${base}machines:\n  - {id: a, address: ${JSON.stringify(address)}}\n`)).toEqual([
    `10: machines[0]: address ${JSON.stringify(address)} must not be empty, nor begin or end with a space: it is what hooks reach the host by (said here, in its group or in defaults)`,
  ]);
});

it('a placeholder that is not known is refused, with those that are', () => {
  expect(problems(`${base}machines:\n  - {id: a, address: "{name}.lan"}\n`)).toEqual([
    '10: machines[0]: address: there is no {name} here; known are id, n. A literal {name} is written {{name}}',
  ]);
});

it('a huge range is taken for a mistake', () => {
  expect(problems(`${base}machines:\n  - {ids: "a[1-9999999]"}\n`)[0]).toContain('is not a range');
});

it('what is not a file is not waited for', () => {
  const pipe = join(directory, 'pipe');
  execFileSync('mkfifo', [pipe]);
  for (const path of [pipe, directory]) expect(() => readInventoryText(path)).toThrow(`--inventory: cannot read ${path}: it is not a file`);
});
