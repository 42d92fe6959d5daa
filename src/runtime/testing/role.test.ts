import { describe, expect, it } from 'vitest';
import type { Permission } from '../permission.ts';
import type { AccessRequest } from '../types.ts';
import { Role } from './role.ts';

const things = { group: 'g', version: 'v1', plural: 'things', kind: 'Thing', namespaced: true };
const ask = (verb: string, more: Partial<AccessRequest> = {}): AccessRequest => ({ verb, group: 'g', plural: 'things', subresource: '', namespace: 'ours', name: 'a', ...more }) as AccessRequest;
const may = (verbs: Permission['verbs'], more: Partial<Permission> = {}): Permission => ({ type: things, verbs, scope: 'namespace', why: '', ...more });

describe('a role', () => {
  it('allows what it lists, where it lists it', () => {
    const role = new Role([may(['get']), may(['patch'], { subresource: 'status' }), may(['delete'], { names: ['a'] }), may(['create'], { namespace: 'theirs' })], 'ours');
    const asked = [ask('get'), ask('get', { namespace: 'theirs' }), ask('patch'), ask('patch', { subresource: 'status' }), ask('delete'), ask('delete', { name: 'b' }), ask('create'), ask('create', { namespace: 'theirs' })];
    expect(asked.map((request) => role.allows(request))).toEqual([true, false, false, true, true, false, false, true]);
    expect(role.refused).toEqual(['get g/things theirs/a', 'patch g/things ours/a', 'delete g/things ours/b', 'create g/things ours/a']);
  });

  it('knows which of its verbs can be taken away without anybody noticing', () => {
    const role = new Role([may(['get', 'list']), may(['get'], { names: ['a'] }), may(['delete'])], 'ours');
    for (const request of [ask('get'), ask('delete')]) role.allows(request);
    expect(role.unused()).toEqual(['list things (namespace)']);
    // Each of two that allow the same could go.
    expect(role.dispensable()).toEqual(['get things (namespace)', 'list things (namespace)', 'get things a (namespace)']);
    role.allows(ask('get', { name: 'b' }));
    expect(role.dispensable()).toEqual(['list things (namespace)', 'get things a (namespace)']);
  });

  it('takes two reasons for one verb for one', () => {
    const role = new Role([may(['get'], { why: 'one' }), may(['get'], { why: 'two' })], 'ours');
    role.allows(ask('get'));
    expect(role.dispensable()).toEqual([]);
  });
});
