import { expect, it } from 'vitest';
import { HookOutput, type OutputStream } from './hook-output.ts';
import { secretFilter } from './secret-filter.ts';

function collect(chunks: readonly (string | Buffer)[], options: { secret?: string; maxLines?: number } = {}): { lines: [string, OutputStream][]; output: HookOutput } {
  const lines: [string, OutputStream][] = [];
  const output = new HookOutput({
    redact: secretFilter(options.secret === undefined ? undefined : Buffer.from(options.secret)),
    onLine: (line, stream) => lines.push([line, stream]),
    ...(options.maxLines !== undefined && { maxLines: options.maxLines }),
  });
  for (const chunk of chunks) output.feed('stdout', Buffer.from(chunk as string));
  output.end();
  return { lines, output };
}

it('puts lines together from pieces, bytes of one character included', () => {
  const bytes = Buffer.from('grüße\nzwei\r\n\ndrei');
  const { lines } = collect([...bytes].map((byte) => Buffer.from([byte])));
  expect(lines.map(([line]) => line)).toEqual(['grüße', 'zwei', '', 'drei']);
});

it('keeps the streams apart', () => {
  const lines: string[] = [];
  const output = new HookOutput({ redact: (line) => line, onLine: (line, stream) => lines.push(`${stream} ${line}`) });
  output.feed('stdout', Buffer.from('on'));
  output.feed('stderr', Buffer.from('err\n'));
  output.feed('stdout', Buffer.from('e\n'));
  expect(lines).toEqual(['stderr err', 'stdout one']);
});

it('takes control characters out', () => {
  expect(collect(['\u001b[31mred\u001b[0m\tand\u0000so\n']).lines[0]?.[0]).toBe('[31mred [0m and so');
});

it('hands on so many lines, counts the rest and keeps the last five for people', () => {
  const { lines, output } = collect([Array.from({ length: 10 }, (_, i) => `line ${i}\n`).join('')], { maxLines: 3 });
  expect([lines.length, output.dropped, output.tail()]).toEqual([3, 7, 'line 5 | line 6 | line 7 | line 8 | line 9']);
});

it('cuts long lines and a long tail', () => {
  const { lines, output } = collect([`${'word '.repeat(100_000)}\n`, `${'x '.repeat(2_000)}\n`]);
  expect(lines[0]?.[0].length).toBeLessThan(4_100);
  expect(output.tail().length).toBeLessThanOrEqual(1_001);
});

it('takes the long words of a secret out, wherever they stand', () => {
  const secret = 'kubeadm join 10.0.0.1:6443 --token abcdef.0123456789abcdef --discovery-token-ca-cert-hash sha256:0011223344556677';
  const { lines, output } = collect(['+ kubeadm join "--token=abcdef.0123456789abcdef"\n', `${secret}\n`], { secret });
  const text = `${lines.map(([line]) => line).join('\n')}${output.tail()}`;
  expect(text).not.toContain('0123456789abcdef');
  expect(text).not.toContain('0011223344556677');
  expect(lines[0]?.[0]).toBe('+ kubeadm join "--token=[redacted]"'.replace('--token=[redacted]', '--token=[redacted]'));
});

it('lets no half of a secret through where a line is cut', () => {
  const secret = 's3cr3t'.repeat(20);
  const { lines } = collect([`${'x'.repeat(4_000)} ${secret}\n`], { secret });
  expect(lines[0]?.[0]).not.toContain('s3cr3t');
});
