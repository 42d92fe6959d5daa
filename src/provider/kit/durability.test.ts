import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { serveScripted, type KitHarness } from '../testing/kit-harness.ts';
import { codeOf, stateName, unfenced } from '../testing/rpc.ts';
import { host, ScriptedBackend, slot } from '../testing/scripted-backend.ts';
import { openFileStore } from './file-store.ts';

let directory: string;
let copies = 0;
beforeEach(() => void (directory = fs.mkdtempSync(join(tmpdir(), 'provider-durability-'))));
afterEach(() => fs.rmSync(directory, { recursive: true }));

async function start(backend: ScriptedBackend, at: string): Promise<KitHarness> {
  return serveScripted(backend, { store: openFileStore({ directory: join(directory, at), durability: 'process' }) });
}

/** Starts over from the files as they are at this moment, as after a kill: nothing gets a chance to say goodbye. */
async function restart(backend: ScriptedBackend, from: string): Promise<KitHarness> {
  const to = `copy-${++copies}`;
  fs.cpSync(join(directory, from), join(directory, to), { recursive: true });
  return start(backend, to);
}

describe('after a restart', () => {
  it('marks, operation ids, bindings, inventory and revision are what they were', async () => {
    const a = new ScriptedBackend();
    const before = await start(a, 'data');
    await before.rpc.create('m-1', ['durA', 3, 7]);
    await before.settle();
    a.last('create').succeed({ host });
    await before.settle();
    const metadata = { 'd/k': 'v', 'd/k2': 'v2' };
    const { operationId } = await before.rpc.configure('m-1', { cluster: 'durable', metadata }, unfenced);
    await before.settle();
    a.last('configure').succeed();
    await before.settle();
    const inventory = (await before.rpc.list()).machines;

    const b = new ScriptedBackend({ instances: [slot('other')] });
    const after = await restart(b, 'data');
    expect((await after.rpc.list()).machines).toEqual(inventory); // not seeded again
    expect(b.calls).toEqual([]);
    expect(await codeOf(after.rpc.create('m-1', ['durA', 3, 7]))).toBe('FAILED_PRECONDITION');
    expect((await after.rpc.configure('m-1', { cluster: 'durable', metadata }, unfenced)).operationId).toBe(operationId);
    const machine = await after.rpc.get('m-1');
    expect([stateName(machine), machine.cluster, Object.fromEntries(machine.shardMetadata)]).toEqual(['CONFIGURED', 'durable', metadata]);
    expect(await codeOf(after.rpc.create('m-2', ['durB', 1, 1]))).toBe('OK');
    expect([operationId, 'op-1']).not.toContain((await after.rpc.create('m-2', unfenced)).operationId);
    expect(after.changes.map((c) => [c.machine.id, c.from, c.cause])).toContainEqual(['m-1', 'Configured', 'restart']);
    await before.close();
    await after.close();
  });

  it('a cursor from before still works, and does not go backwards', async () => {
    const a = new ScriptedBackend();
    const before = await start(a, 'data');
    const { revision } = await before.rpc.list();
    await before.toIdle('m-1');
    const after = await restart(new ScriptedBackend(), 'data');
    const delta = await after.rpc.list({ sinceRevision: revision });
    expect(delta.machines.map((m) => m.id)).toEqual(['m-1']);
    expect((await after.rpc.list({ sinceRevision: delta.revision })).machines).toEqual([]);
    await before.close();
    await after.close();
  });

  it('a cursor for changes that did not outlive the process gets everything', async () => {
    const before = await start(new ScriptedBackend(), 'data');
    fs.cpSync(join(directory, 'data'), join(directory, 'early'), { recursive: true });
    await before.rpc.create('m-1');
    const { revision } = await before.rpc.list(); // shows a change that a loss of power then undoes
    const after = await start(new ScriptedBackend(), 'early');
    await after.rpc.create('m-2');
    const all = await after.rpc.list({ sinceRevision: revision });
    expect(all.machines.map((m) => [m.id, stateName(m)])).toEqual([['m-1', 'SPECULATIVE'], ['m-2', 'CREATING']]);
    expect((await after.rpc.list({ sinceRevision: all.revision })).machines).toEqual([]);
    await before.close();
    await after.close();
  });

  it('a store that replaces a lost one repeats no operation id', async () => {
    const before = await start(new ScriptedBackend(), 'data');
    const { operationId } = await before.rpc.create('m-1');
    await before.clock.advance(1);
    const later = await serveScripted(new ScriptedBackend(), { clock: before.clock, store: openFileStore({ directory: join(directory, 'new'), durability: 'process' }) });
    expect((await later.rpc.create('m-1')).operationId).not.toBe(operationId);
    await before.close();
    await later.close();
  });

  it('an operation that was under way is FAILED, with the reason, and its blob never reached the disk', async () => {
    const a = new ScriptedBackend();
    const before = await start(a, 'data');
    await before.toIdle('m-1');
    await before.rpc.configure('m-1', { cluster: 'conf', blob: Buffer.from('top secret') });
    const b = new ScriptedBackend();
    const after = await restart(b, 'data');
    expect(await after.look('m-1')).toEqual(['FAILED', 'Configure was interrupted by a restart of the provider']);
    expect(b.calls).toEqual([]);
    const files = fs.readdirSync(join(directory, 'data')).map((name) => fs.readFileSync(join(directory, 'data', name), 'utf8')).join();
    expect(files).not.toContain(Buffer.from('top secret').toString('base64'));
    await before.close();
    await after.close();
  });

  it('a resumable backend gets each interrupted operation again, with its id and arguments', async () => {
    const a = new ScriptedBackend({ resumable: true, instances: ['c', 'f', 'd', 'x'].map((id) => slot(id)) });
    const before = await start(a, 'data');
    await before.toIdle('f');
    await before.toConfigured('d');
    await before.toIdle('x');
    const acks = [
      await before.rpc.create('c'),
      await before.rpc.configure('f', { cluster: 'conf', blob: Buffer.from([1, 2, 3]) }),
      await before.rpc.drain('d', 42),
      await before.rpc.delete('x'),
    ];
    const b = new ScriptedBackend({ resumable: true });
    const after = await restart(b, 'data');
    const byMachine = new Map(b.calls.map((call) => [call.machineId, call]));
    expect(['c', 'f', 'd', 'x'].map((id) => [byMachine.get(id)?.what, byMachine.get(id)?.operationId])).toEqual([
      ['create', acks[0]!.operationId], ['configure', acks[1]!.operationId], ['drain', acks[2]!.operationId], ['delete', acks[3]!.operationId],
    ]);
    expect(byMachine.get('f')!.request).toMatchObject({ clusterId: 'conf', bootstrapBlob: Buffer.from([1, 2, 3]) });
    expect(byMachine.get('d')!.request).toMatchObject({ gracePeriodSeconds: 42n });
    for (const call of b.calls) call.succeed({ host });
    await after.settle();
    expect((await after.rpc.list()).machines.map((m) => [m.id, stateName(m)]).sort()).toEqual([
      ['c', 'IDLE'], ['d', 'IDLE'], ['f', 'CONFIGURED'], ['x', 'SPECULATIVE'],
    ]);
    await before.close();
    await after.close();
  });

  it('a failed machine is recovered by the new process', async () => {
    const a = new ScriptedBackend({ recovers: true });
    const before = await start(a, 'data');
    await before.toConfigured('m-1');
    before.provider.reportFailure('m-1', 'interrupted');
    const b = new ScriptedBackend({ recovers: true });
    const after = await restart(b, 'data');
    b.last('recover').succeed('speculative');
    expect((await after.look('m-1'))[0]).toBe('SPECULATIVE');
    await before.close();
    await after.close();
  });

  it('a first start that was cut short finds all machines the second time', async () => {
    const a = new ScriptedBackend({ instances: [slot('m-1'), slot('m-2')] });
    const before = await start(a, 'data');
    await before.close();
    const [name] = fs.readdirSync(join(directory, 'data')).filter((n) => n.startsWith('state-'));
    const file = join(directory, 'data', name!);
    const lines = fs.readFileSync(file, 'utf8').split('\n');
    fs.writeFileSync(file, `${lines.slice(0, 3).join('\n')}\n`); // the header, the first machine, and the mark that the file can be used
    const after = await start(new ScriptedBackend({ instances: [slot('m-1'), slot('m-2')] }), 'data');
    expect((await after.rpc.list()).machines.map((m) => m.id)).toEqual(['m-1', 'm-2']);
    await after.close();
  });

  it('a graceful stop leaves operations to the next start', async () => {
    const a = new ScriptedBackend({ resumable: true });
    const before = await start(a, 'data');
    await before.rpc.create('m-1');
    await before.settle();
    const call = a.last('create');
    await before.close();
    expect(call.signal.aborted).toBe(true);
    call.fail('aborted');
    const b = new ScriptedBackend({ resumable: true });
    const after = await start(b, 'data');
    expect(b.last('create').operationId).toBe(call.operationId);
    await after.close();
  });

  it('a start that fails at the last step lets go of what it had resumed', async () => {
    const a = new ScriptedBackend({ resumable: true });
    const before = await start(a, 'data');
    await before.rpc.create('m-1');
    const b = new ScriptedBackend({ resumable: true });
    fs.cpSync(join(directory, 'data'), join(directory, 'data-2'), { recursive: true });
    const second = openFileStore({ directory: join(directory, 'data-2'), durability: 'process' });
    await expect(serveScripted(b, { store: second, address: `127.0.0.1:${before.provider.port}` })).rejects.toThrow(/cannot listen/);
    expect(b.last('create').signal.aborted).toBe(true);
    await second.close();
    await before.close();
  });

  it('nothing keeps the process waiting after a stop: no timer is left', async () => {
    const a = new ScriptedBackend({ recovers: true });
    const h = await serveScripted(a, { reconcileIntervalMs: 60_000 });
    await h.toConfigured('m-1');
    h.provider.reportFailure('m-1', 'disk');
    await h.settle();
    a.last('recover').succeed('keep');
    await h.rpc.create('m-2');
    await h.settle();
    expect(h.clock.pending).toBeGreaterThan(2);
    await h.close();
    expect(h.clock.pending).toBe(0);
  });
});
