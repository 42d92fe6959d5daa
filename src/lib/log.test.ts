import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';

const LINES = 2000;
/** Says much more than a pipe holds, and is gone before anything else can happen. */
const DYING = `
import { createLog } from ${JSON.stringify(new URL('log.ts', import.meta.url).href)};
const log = createLog('dying', { shard: 's' });
for (let line = 1; line <= ${LINES}; line++) log.info({ line, much: 'x'.repeat(100) }, 'said');
process.kill(process.pid, 'SIGKILL');
`;

describe('a log', () => {
  it('has the last words of a process that is killed', async () => {
    const child = spawn(process.execPath, ['--input-type=module-typescript', '--eval', DYING], { stdio: ['ignore', 'ignore', 'pipe'] });
    const died = new Promise((resolve) => child.once('exit', (_code, signal) => resolve(signal)));
    const said = (await text(child.stderr)).trim().split('\n').map((line) => JSON.parse(line) as { line: number });
    expect(await died).toBe('SIGKILL');
    expect(said.map(({ line }) => line)).toEqual(Array.from({ length: LINES }, (_, i) => i + 1));
    expect(said.at(-1)).toMatchObject({ component: 'dying', shard: 's', level: 'info', msg: 'said', time: expect.stringMatching(/^\d{4}-.*Z$/) as unknown });
  });
});
