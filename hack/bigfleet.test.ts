import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const there = mkdtempSync(join(tmpdir(), 'bigfleet-command-'));
afterAll(() => rmSync(there, { recursive: true }));

describe('the command', { timeout: 60_000 }, () => {
  it.each([
    ['where it is started', there, { npm_lifecycle_event: 'test', INIT_CWD: root }],
    ['where npm was, which starts it in the folder of the project', root, { npm_lifecycle_event: 'bigfleet', INIT_CWD: there }],
  ])('takes the files that it is given from %s', async (_, cwd, env) => {
    writeFileSync(join(there, 'mine.json'), '{ "machines": [{ "id": "only-here" }], "clusters": { "c": { "needs": [{}] } } }');
    const args = [join(root, 'hack', 'bigfleet.mjs'), 'engine', 'plan', '-f', 'mine.json', '-o', 'json'];
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd, env: { ...process.env, NODE_OPTIONS: '', ...env } });
    expect((JSON.parse(stdout) as { actions: unknown[] }).actions).toMatchObject([{ kind: 'Bootstrap', machineId: 'only-here' }]);
  });
});
