import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { checkInstance } from '../kit/instance-check.ts';
import { builtInSeeds } from './built-in-seeds.ts';
import { readSeedFile } from './seed-file.ts';
import { parseAddress, parseFailureRates, parseNumber, parseSpan } from './settings.ts';

it('reads durations, rates, numbers and addresses, and names the flag and a fix for anything else', () => {
  expect(parseSpan('--create-ms', '400-1500')).toEqual({ fromMs: 400, toMs: 1500 });
  expect(parseSpan('--create-ms', '500')).toEqual({ fromMs: 500, toMs: 500 });
  for (const bad of ['', '5s', '1500-400', '-5', '1-2-3', '1e3']) expect(() => parseSpan('--create-ms', bad)).toThrow(/--create-ms:.*400-1500/);
  expect(parseFailureRates('--failure-rate', 'create=0.1, configure=1')).toEqual({ create: 0.1, configure: 1, drain: 0, delete: 0 });
  expect(parseFailureRates('--failure-rate', '')).toEqual({ create: 0, configure: 0, drain: 0, delete: 0 });
  for (const bad of ['create', 'create=', 'create=2', 'boot=0.1', 'toString=0', 'create=x']) expect(() => parseFailureRates('--failure-rate', bad)).toThrow(/--failure-rate:.*create=0\.1/);
  expect(parseNumber('--seed', '7', 0)).toBe(7);
  for (const bad of ['', ' ', 'x', '-1', 'NaN']) expect(() => parseNumber('--seed', bad, 0)).toThrow('--seed:');
  expect(parseAddress('--listen', '[::1]:80')).toEqual({ host: '::1', port: 80 });
  for (const bad of ['80', ':80', 'host:', 'host:x', 'host:70000', 'host:1.5']) expect(() => parseAddress('--listen', bad)).toThrow(/--listen:.*127\.0\.0\.1/);
});

it('names every problem of a seed file by line and field', () => {
  const directory = fs.mkdtempSync(join(tmpdir(), 'seed-file-'));
  const path = join(directory, 'seeds.jsonl');
  const good = { id: 'a', instanceType: 't', zone: 'z', capacityType: 'OnDemand', pricePerHour: 1, resources: { cpu: '1' }, labels: {} };
  const read = (...lines: (object | string)[]): unknown => {
    fs.writeFileSync(path, lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n'));
    try {
      return readSeedFile(path);
    } catch (error) {
      return (error as Error).message.replaceAll(path, 'F');
    }
  };
  expect(read(good, '', { ...good, id: 'b', state: 'Idle' })).toEqual([
    { ...good, state: 'Speculative', interruptionProbability: 0, allocatable: good.resources },
    { ...good, id: 'b', state: 'Idle', interruptionProbability: 0, allocatable: good.resources, host: { provider: 'sim', ref: 'sim:///b' } },
  ]);
  expect(read(good, '{oops', '[]')).toMatch(/^F:2: line is not JSON.*\nF:3: line must be a JSON object/);
  expect(read({ ...good, pricePerHour: '1' })).toMatch(/^F:1: pricePerHour must be a number$/);
  expect(read({ ...good, price: 1 })).toMatch(/^F:1: price is not a field/);
  expect(read({ ...good, resources: { cpu: 1 } })).toMatch(/^F:1: resources must be an object of strings/);
  expect(read({ ...good, capacityType: 'spot' })).toMatch(/^F:1: capacityType must be one of/);
  expect(read({ ...good, capacityType: 'Spot' })).toMatch(/^F:1: interruptionProbability must be above 0 for Spot$/);
  expect(read({ ...good, resources: { cpu: 'lots' } })).toMatch(/^F:1: resources cpu: "lots" is not a quantity/);
  expect(read(good, good)).toBe('F:2: id "a" is used on line 1 already');
  expect(read({ ...good, state: 'Configured' })).toMatch(/^F:1: state must be Speculative or Idle/);
  expect(() => readSeedFile(join(directory, 'missing'))).toThrow(/--seed-file: cannot read .*ENOENT/);
  fs.rmSync(directory, { recursive: true });
});

it('makes up fleets that pass the checks', () => {
  const fleet = builtInSeeds(100);
  expect(fleet.flatMap((instance) => checkInstance(instance, true))).toEqual([]);
  expect(new Set(fleet.map((instance) => instance.id)).size).toBe(100);
});
