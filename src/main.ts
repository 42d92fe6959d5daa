/**
 * Composition root of the one binary (D24). Each subcommand lives in its own file under `cli/` and loads what it needs
 * only when it runs, so that `bigfleet --help` stays instant and a process carries no code it does not use.
 */
import './cli/hang-up.ts';
import type { Command as AnyCommand } from 'commander';

// Not before the line above has been run.
const [{ Command, CommanderError }, { registerCommands }] = await Promise.all([import('commander'), import('./cli/index.ts')]);

const USAGE_ERROR = 2;
const RUNTIME_ERROR = 1;

const program = new Command('bigfleet')
  .description('Fleet-level capacity autoscaler: one control plane owns the machines of many Kubernetes clusters')
  .version('0.1.0')
  .showHelpAfterError('(add --help for the flags and what they mean)')
  .exitOverride();
await registerCommands(program);
inheritExitOverride(program);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : USAGE_ERROR;
  } else {
    const command = process.argv.slice(2).filter((arg) => !arg.startsWith('-'))[0] ?? '';
    process.stderr.write(`bigfleet ${command}: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = isUsageError(error) ? USAGE_ERROR : RUNTIME_ERROR;
    if (process.env['BIGFLEET_STACK'] && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  }
}

/** commander copies exitOverride only to subcommands made after it was set, and not to those added ready-made. */
function inheritExitOverride(command: AnyCommand): void {
  for (const sub of command.commands) {
    sub.exitOverride().showHelpAfterError('(add --help for the flags and what they mean)');
    inheritExitOverride(sub);
  }
}

function isUsageError(error: unknown): boolean {
  return error instanceof Error && error.name === 'UsageError';
}
