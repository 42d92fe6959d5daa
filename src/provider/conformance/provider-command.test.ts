import { credentials } from '@grpc/grpc-js';
import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../lib/clock.ts';
import { providerCommand } from './provider-command.ts';

const starter = (command: string, readyMs = 60_000) => providerCommand('--start', { command, folder: tmpdir(), credentials: credentials.createInsecure(), clock: systemClock, readyMs });

describe('a command that starts a provider', () => {
  it.each(['my-provider --state {state}', 'my-provider --addr {addr}'])('must say where address and state go: %s', (command) => {
    expect(() => starter(command)).toThrow(expect.objectContaining({ name: 'UsageError', message: expect.stringMatching(/^--start: the command must say where \{(addr|state)\} goes/) as string }));
  });

  it('that ends at once is quoted with its last words', async () => {
    await expect(starter('echo "no such slot: {seeds}" >&2; : {addr} {state}; exit 3').start('x', 64)).rejects.toThrow(/got it ended\. Its last words:\nno such slot: 64$/);
  });

  it('that never serves is killed, with all that it started', async () => {
    const started = starter('sleep 600 & sleep 601; : {addr} {state}', 1).start('x', 1);
    await expect(started).rejects.toThrow(/no answer within 1 ms: UNAVAILABLE/);
  });
});
