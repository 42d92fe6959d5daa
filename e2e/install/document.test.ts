import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { lacking, outputsOf, scriptOf, stepsOf } from './document.ts';

const document = ['text', '```sh', 'here=1', 'echo one', '```', '```text', 'one', '```', '```sh kind', 'echo never', '```', '```sh', 'echo "$here and  more"', '```', '```text', '1 …', '', '2', '```'].join('\n');

it('runs the blocks of sh in one shell, and compares what they print with what stands below', () => {
  const steps = stepsOf(document);
  expect(steps.map(({ line, prints }) => [line, prints])).toEqual([[2, ['one']], [12, ['1 …', '2']]]);
  const outputs = outputsOf(steps, execFileSync('bash', ['-c', scriptOf(steps)], { encoding: 'utf8' }));
  expect(outputs).toEqual(['one\n', '1 and  more\n']);
  expect(steps.map((step, i) => lacking(step, outputs[i]!))).toEqual([[], ['2']]);
});

it('ends at the first command that fails, in a pipe as well', () => {
  const steps = stepsOf('```sh\necho so far\nfalse | cat\necho further\n```\n```sh\necho never\n```\n');
  let printed = '';
  try {
    execFileSync('bash', ['-c', scriptOf(steps)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch (error) {
    printed = (error as { stdout: string }).stdout;
  }
  expect(outputsOf(steps, printed)).toEqual(['so far\n', undefined]);
});

it('takes nothing for a pattern but the three dots', () => {
  const step = { line: 1, commands: '', prints: ['a.c …', 'x'] };
  expect(lacking(step, 'abc d\n  x  ')).toEqual(['a.c …']);
  expect(lacking(step, 'a.c    d e\nxy')).toEqual(['x']);
});

it('does not guess where a fence ends', () => {
  expect(() => stepsOf('```sh\necho')).toThrow('line 1: the fence is never closed');
});
