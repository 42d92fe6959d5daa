/** The `provider` command alone, as a process: main.ts without the commands that a provider test does not need. */
import '../../cli/hang-up.ts';
import { Command, CommanderError } from 'commander';
import { register } from '../../cli/provider.ts';

const program = new Command('bigfleet').exitOverride();
register(program);
for (const provider of program.commands) for (const command of [provider, ...provider.commands]) command.exitOverride();
try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof CommanderError || (error instanceof Error && error.name === 'UsageError') ? 2 : 1;
}
