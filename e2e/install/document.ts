/** Documents whose commands are run: fenced blocks of `sh`, and blocks of `text` with what the commands before them print. */

/** A block of commands, and the lines that stand for its output. */
export interface Step {
  /** Of the fence, in the document. */
  readonly line: number;
  readonly commands: string;
  readonly prints: readonly string[];
}

const FENCE = /^```(\S*) ?(.*)$/;

/** Blocks of `sh` with nothing after it, in order; others, such as `sh kind`, are for reading. Throws at a fence that is not closed. */
export function stepsOf(markdown: string): Step[] {
  const steps: { line: number; commands: string; prints: string[] }[] = [];
  let open: { language: string; rest: string; line: number; text: string[] } | undefined;
  for (const [index, text] of markdown.split('\n').entries()) {
    const [isFence, language = '', rest = ''] = FENCE.exec(text) ?? [];
    if (isFence === undefined) {
      open?.text.push(text);
    } else if (open === undefined) {
      open = { language, rest, line: index + 1, text: [] };
    } else {
      if (open.language === 'sh' && open.rest === '') steps.push({ line: open.line, commands: open.text.join('\n'), prints: [] });
      if (open.language === 'text') steps.at(-1)?.prints.push(...open.text.filter((line) => line.trim() !== ''));
      open = undefined;
    }
  }
  if (open !== undefined) throw new Error(`line ${open.line}: the fence is never closed`);
  return steps;
}

const MARK = '\u001e';

/** One shell runs all of them, as one person would: variables, functions and jobs stay. It ends at the first command that fails. */
export function scriptOf(steps: readonly Step[]): string {
  return ['set -e -o pipefail', 'exec 2>&1', ...steps.flatMap(({ commands, line }) => [`printf '${MARK}${line}${MARK}'`, commands]), ''].join('\n');
}

/** Lines of the steps that begin in this part of what was printed. */
export function marksIn(part: string): string[] {
  return [...part.matchAll(new RegExp(`${MARK}(\\d+)${MARK}`, 'g'))].map(([, line]) => line!);
}

/** What each step printed, in the order of the steps; of one that was not reached undefined. */
export function outputsOf(steps: readonly Step[], printed: string): (string | undefined)[] {
  const [, ...parts] = printed.split(MARK);
  const byLine = new Map(parts.flatMap((part, i) => (i % 2 === 0 ? [[Number(part), parts[i + 1] ?? ''] as const] : [])));
  return steps.map(({ line }) => byLine.get(line));
}

/** Lines of the document that the output lacks. White space may differ, and `…` stands for anything. */
export function lacking({ prints }: Step, output: string): string[] {
  const lines = output.split('\n').map((line) => line.trim());
  return prints.filter((wanted) => !lines.some((line) => patternOf(wanted).test(line)));
}

function patternOf(line: string): RegExp {
  const words = line.trim().split(/\s+/).map((word) => word.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('.*'));
  return new RegExp(`^${words.join('\\s+')}$`);
}
