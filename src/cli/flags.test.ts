import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UsageError } from '../lib/usage-error.ts';
import { byteSize, durationMs, fourGraces, integer, leaseDurations, listenAddress } from './flags.ts';
import { register } from './shard.ts';

describe('durations', () => {
  it.each([['500ms', 500], ['3s', 3_000], ['1m30s', 90_000], ['0.25s', 250], ['2h', 7_200_000], ['1h2m3s4ms', 3_723_004], ['7', 7_000], ['0.5', 500], ['0', 0]])('%s', (text, ms) => {
    expect(durationMs('--flag', text)).toBe(ms);
  });

  it.each(['', ' ', '10x', 'ten', '-1s', '1s ', '1s2', 's', '1..5s', 'Infinity', '5S'])('%j is refused, naming the flag and what would work', (text) => {
    expect(() => durationMs('--flag', text)).toThrow(UsageError);
    expect(() => durationMs('--flag', text)).toThrow(/^--flag: ".*" is not a duration; write for instance 500ms/);
  });
});

describe('preemption graces', () => {
  it('are four, in whole seconds', () => {
    expect(fourGraces('--g', '10s,30s,2m,10m')).toEqual([10, 30, 120, 600]);
    expect(fourGraces('--g', '100ms,0,1.5s,3')).toEqual([1, 0, 2, 3]);
  });

  it.each(['', '1s,2s,3s', '1s,2s,3s,4s,5s', '1s;2s;3s;4s', '1s,2s,3s,x'])('%j is refused, naming the flag', (text) => {
    expect(() => fourGraces('--g', text)).toThrow(UsageError);
    expect(() => fourGraces('--g', text)).toThrow(/^--g: /);
  });
});

describe('whole numbers', () => {
  it('lie within their range', () => {
    expect([integer('--n', '1', { min: 1 }), integer('--n', '-3', { min: -3, max: 3 }), integer('--n', '3', { min: -3, max: 3 })]).toEqual([1, -3, 3]);
    expect(() => integer('--n', '0', { min: 1 })).toThrow('--n: "0" must be a whole number of at least 1');
    expect(() => integer('--n', '4', { min: 1, max: 3 })).toThrow('--n: "4" must be a whole number from 1 to 3');
  });

  it.each(['', '1.5', '1e3', '0x10', ' 1', 'NaN', '99999999999999999999'])('%j is none', (text) => {
    expect(() => integer('--n', text, { min: 0 })).toThrow(UsageError);
  });
});

describe('sizes', () => {
  it('are whole numbers of bytes, with or without a unit', () => {
    expect(['0', '17', '64Ki', '100Mi', '2Gi'].map((text) => byteSize('--n', text))).toEqual([0, 17, 65_536, 104_857_600, 2_147_483_648]);
  });

  it.each(['', 'Mi', '1.5Mi', '1MB', '1 Mi', '-1Ki', '99999999999Gi'])('%j is none', (text) => {
    expect(() => byteSize('--n', text)).toThrow(`--n: "${text}" is not a size; write for instance 64Ki, 100Mi or 2Gi`);
  });
});

describe('addresses', () => {
  it.each([':7780', 'localhost:0', '127.0.0.1:65535', '[::1]:80', '[::]:7780'])('%s', (text) => {
    expect(listenAddress('--listen', text)).toBe(text);
  });

  it.each(['', '7780', 'localhost', 'host:', 'host:port', 'host:65536', '::1:80', 'a:b:1', 'host:-1'])('%j is none', (text) => {
    expect(() => listenAddress('--listen', text)).toThrow(/^--listen: ".*" is not an address; write host:port or :port$/);
  });
});

it('no text makes a parser do anything but answer or refuse', () => {
  fc.assert(fc.property(fc.string(), (text) => {
    for (const parse of [durationMs, byteSize, listenAddress, (flag: string, t: string) => integer(flag, t, { min: 0 })]) {
      try {
        const value = parse('--flag', text);
        if (typeof value === 'number') expect(Number.isFinite(value) && value >= 0).toBe(true);
      } catch (error) {
        expect(error).toBeInstanceOf(UsageError);
      }
    }
  }));
});

describe('the durations of a Lease', () => {
  it('are whole seconds, and each leaves room for the next', () => {
    expect(leaseDurations('15s', '10s', '2s')).toEqual({ leaseMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2_000 });
  });

  it.each([
    [['1500ms', '1s', '100ms'], '--lease-duration: "1500ms" must be whole seconds'],
    [['0', '10s', '2s'], '--lease-duration: "0" is too short'],
    [['10s', '10s', '2s'], '--lease-renew: "10s" must be shorter than --lease-duration (10s)'],
    [['15s', '2s', '2s'], '--lease-retry: "2s" must be shorter than --lease-renew (2s)'],
    [['15s', '10s', '0'], '--lease-retry: "0" is too short'],
  ] as const)('%j do not', ([duration, renew, retry], message) => {
    expect(() => leaseDurations(duration, renew, retry)).toThrow(message);
  });
});

describe('bigfleet shard', () => {
  /** The error that the flags cause before anything is started. */
  async function refusal(...args: string[]): Promise<unknown> {
    const program = new Command().exitOverride().configureOutput({ writeErr: () => undefined });
    register(program);
    program.commands[0]?.exitOverride();
    return program.parseAsync(['node', 'bigfleet', 'shard', ...args]).then(() => 'accepted', (error: unknown) => error);
  }

  it.each([
    [['--qps', '0'], '--qps'],
    [['--burst', 'many'], '--burst'],
    [['--listen', 'nowhere'], '--listen'],
    [['--metrics-addr', '1'], '--metrics-addr'],
    [['--lease-duration', 'long'], '--lease-duration'],
    [['--lease-duration', '5s', '--lease-renew', '10s'], '--lease-renew'],
    [['--lease-renew', 'x'], '--lease-renew'],
    [['--lease-retry', 'x'], '--lease-retry'],
    [['--min-cycle', 'x'], '--min-cycle'],
    [['--reclaim-grace', 'x'], '--reclaim-grace'],
    [['--poll', 'often'], '--poll'],
    [['--poll', '0s'], '--poll'],
    [['--api-backoff', '0'], '--api-backoff'],
    [['--id', ''], '--id'],
  ])('%j is refused, naming the flag', async (args, flag) => {
    const error = await refusal(...args);
    expect(error).toBeInstanceOf(UsageError);
    expect((error as Error).message.startsWith(`${flag}: `)).toBe(true);
  });

  it.each([[['--qps', '0'], '--qps'], [['--tls-cert', 'c'], '--tls-key'], [['--no-such-flag'], '--no-such-flag']])('%j ends the process with 2', async (args, flag) => {
    const main = fileURLToPath(new URL('../main.ts', import.meta.url));
    const { code, stderr } = await new Promise<{ code: number | null; stderr: string }>((resolve) => {
      const child = execFile(process.execPath, [main, 'shard', ...args], (_error, _stdout, text) => resolve({ code: child.exitCode, stderr: text }));
    });
    expect([code, stderr]).toEqual([2, expect.stringContaining(flag)]);
  });
});
