import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../lib/testing/temporary-folder.ts';
import { builtinDemand } from './demand/builtin.ts';
import { readDemand, readHubObjects } from './input-file.ts';

function fileOf(content: unknown): string {
  const file = join(temporaryFolder('world'), 'input.json');
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
}
const usageError = (message: string): unknown => expect.objectContaining({ name: 'UsageError', message: expect.stringContaining(message) as string });

const type = { group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true };
const object = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's', namespace: 'x' } };

describe('objects for the hub', () => {
  it('takes a list of types and objects', () => {
    expect(readHubObjects(fileOf([{ type, object }]))).toEqual([{ type, object }]);
  });

  it.each([
    ['{', 'expected a JSON file'],
    [{}, 'expected a JSON list of {type, object}'],
    [[7], '[0]: expected an object'],
    [[{ object }], '[0].type: expected an object'],
    [[{ type: { ...type, namespaced: 'yes' }, object }], '[0].type.namespaced: expected true or false, found "yes"'],
    [[{ type, object }, { type, object: { ...object, kind: 1 } }], '[1].object.kind: expected a text that is not empty, found 1'],
    [[{ type, object: { ...object, metadata: {} } }], '[0].object.metadata.name: expected a text that is not empty, found nothing'],
  ])('refuses %j', (content, message) => {
    const file = fileOf(content);
    expect(() => readHubObjects(file)).toThrow(usageError(`--hub-objects ${file}: ${message}`));
  });

  it('names a file that is not there', () => {
    expect(() => readHubObjects('/nowhere.json')).toThrow(usageError('--hub-objects /nowhere.json: expected a JSON file: ENOENT'));
  });
});

const pod = { kind: 'pod', atMs: 0, cluster: 'a', name: 'p', priority: 0, requests: { cpu: '1' } };
const planOf = (...steps: unknown[]): object => ({ source: 'trace', clusters: 1, steps });

describe('a demand file', () => {
  it('takes the built-in demand as it was written', () => {
    const plan = builtinDemand({ clusters: 3, durationMs: 60_000 });
    expect(readDemand(fileOf(plan), ['cluster-1', 'cluster-2', 'cluster-3'])).toEqual(JSON.parse(JSON.stringify(plan)));
  });

  it.each([
    [[], 'the plan: expected an object'],
    [{ ...planOf(), source: 'me' }, 'the plan.source: expected one of builtin, trace, found "me"'],
    [{ source: 'trace', clusters: 1 }, 'steps: expected a list'],
    [planOf(pod, { kind: 'dance', atMs: 0 }), 'steps[1].kind: expected one of pod, act, interrupt, finish-all, found "dance"'],
    [planOf({ ...pod, atMs: -1 }), 'steps[0].atMs: expected a number of milliseconds, 0 or more, found -1'],
    [planOf({ ...pod, cluster: 'b' }), 'steps[0].cluster: expected one of a, found "b"'],
    [planOf({ ...pod, lifeMs: null }), 'steps[0].lifeMs: expected a number of milliseconds, 0 or more, found null'],
    [planOf({ ...pod, priority: 2_000_000_000 }), 'steps[0].priority: expected a whole number from 0 to 1000000000'],
    [planOf({ ...pod, requests: { cpu: 1 } }), 'steps[0].requests: expected an object whose values are texts'],
    [planOf({ kind: 'interrupt', atMs: 0, capacityType: 'Spot', count: 0 }), 'steps[0].count: expected a whole number from 1'],
    [planOf({ kind: 'act', atMs: 0, act: 'x' }), 'steps[0].why: expected a text that is not empty, found nothing'],
  ])('refuses %j', (content, message) => {
    const file = fileOf(content);
    expect(() => readDemand(file, ['a'])).toThrow(usageError(`--demand ${file}: ${message}`));
  });
});
