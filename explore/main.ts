/** `npm run explore`: plays seeded worlds of faults around a real shard and a real provider, and checks what must never happen. */
import { parseArgs } from 'node:util';
import { UsageError } from '../src/lib/usage-error.ts';
import { explore } from './explore.ts';
import { findPlanted } from './planted/run.ts';
import { plantedText, reportText } from './report.ts';
import { playSeed } from './world/world.ts';

const USAGE = `usage: npm run explore -- [flags]

Plays worlds: the real shard (all of its composition), the real machine reconciler and the real provider kit, in virtual time
and with simulated connections, disks and machines. The seed of a world decides what goes wrong and when. Afterwards nothing
may have happened that must never happen, and everything must have come to rest as it should.

  --seeds N       so many worlds (default 1000)
  --from N        the first seed (default 1)
  --seed N        this one world
  --transcript    with --seed: all that happened in it; equal seeds give equal transcripts, byte for byte
  --first N[,N]   these of the worlds before the others
  --workers N     threads (default 2)
  --stop-at-first ends with the first world that fails
  --planted [ID…] plants known defects, one after the other, in a copy of the sources; each has to be found within the same
                  worlds, of which those that found it before are played first
  -o json         one report on stdout
  -h, --help

exit code: 0 all is well · 1 a world failed, some kind of fault was hardly tried, or a planted defect was not found · 2 usage`;

process.exitCode = await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<number> {
  try {
    return await run(argv);
  } catch (error) {
    const isUsage = error instanceof UsageError || (error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS'));
    process.stderr.write(`explore: ${error instanceof Error ? (isUsage ? error.message : error.stack) : String(error)}\n`);
    if (isUsage) process.stderr.write('(--help says what there is)\n');
    return isUsage ? 2 : 1;
  }
}

async function run(argv: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      seeds: { type: 'string', default: '1000' },
      from: { type: 'string', default: '1' },
      seed: { type: 'string' },
      first: { type: 'string', default: '' },
      transcript: { type: 'boolean', default: false },
      workers: { type: 'string', default: '2' },
      'stop-at-first': { type: 'boolean', default: false },
      planted: { type: 'boolean', default: false },
      output: { type: 'string', short: 'o', default: 'text' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  const { output } = values;
  if (output !== 'text' && output !== 'json') throw new UsageError(`-o ${output}: must be text or json`);
  if (values.transcript && values.seed === undefined) throw new UsageError('--transcript: needs --seed');
  if (values.seed !== undefined) {
    const outcome = await playSeed(whole('--seed', values.seed));
    if (values.transcript) process.stdout.write(outcome.transcript);
    else process.stdout.write(output === 'json' ? `${JSON.stringify({ ...outcome, transcript: undefined })}\n` : `seed ${outcome.seed}: ${outcome.violations.length === 0 ? 'all is well' : outcome.violations.join('; ')}\n`);
    return outcome.violations.length === 0 ? 0 : 1;
  }
  const extent = { from: whole('--from', values.from), seeds: whole('--seeds', values.seeds), workers: whole('--workers', values.workers) };
  if (values.planted) return planted({ ...extent, only: positionals }, output);
  if (positionals.length > 0) throw new UsageError(`${positionals.join(' ')}: what is that? Only --planted takes names`);
  const first = values.first === '' ? [] : values.first.split(',').map((text) => whole('--first', text));
  const report = await explore({
    ...extent, first, stopsAtFirst: values['stop-at-first'],
    onProgress: (text) => process.stderr.write(`${text}\n`),
  });
  process.stdout.write(output === 'json' ? `${JSON.stringify(report)}\n` : reportText(report));
  return report.failed.length === 0 && report.neglected.length === 0 ? 0 : 1;
}

async function planted(options: Parameters<typeof findPlanted>[0], output: 'text' | 'json'): Promise<number> {
  const outcomes = await findPlanted(options, (outcome) => output === 'text' && process.stdout.write(plantedText(outcome)));
  if (outcomes.length === 0) throw new UsageError(`--planted ${options.only.join(' ')}: there is no such defect`);
  const survivors = outcomes.filter(({ seed }) => seed === undefined);
  if (output === 'json') process.stdout.write(`${JSON.stringify({ planted: outcomes })}\n`);
  else process.stdout.write(`${outcomes.length} planted, ${outcomes.length - survivors.length} found within ${options.seeds} worlds\n`);
  return survivors.length === 0 ? 0 : 1;
}

function whole(flag: string, text: string): number {
  const value = Number(text);
  if (!/^\d{1,9}$/.test(text) || value < 1) throw new UsageError(`${flag} ${text}: must be a whole number from 1 on`);
  return value;
}
