import type { Command } from 'commander';
import { UsageError } from '../lib/usage-error.ts';
import { registerCertify } from './provider-certify.ts';
import { registerFault } from './provider-fault.ts';
import { registerSim } from './provider-sim.ts';
import { registerStatic } from './provider-static.ts';

const help = `
A conformance suite that starts the provider itself names it by a flag; that is the same as the command:
  bigfleet provider --provider=certify --addr=127.0.0.1:9090 --use-fake-backend --seed-count=512 --state=./state
  bigfleet provider certify --addr=127.0.0.1:9090 --use-fake-backend --seed-count=512 --state=./state
A suite that takes the path of one executable gets hack/bigfleet-provider: it is \`bigfleet provider\`, as one process.`;

export function register(program: Command): void {
  const provider = program.command('provider').description('capacity providers: where machines come from').enablePositionalOptions();
  registerSim(provider);
  registerCertify(provider);
  registerFault(provider);
  registerStatic(provider);
  provider
    .option('--provider <name>', 'the provider to serve, with the flags of the command of that name')
    .allowUnknownOption()
    .allowExcessArguments()
    .addHelpText('after', help)
    .action(async ({ provider: name }: { provider?: string }, command: Command) => {
      const names = command.commands.map((one) => one.name());
      const named = command.commands.find((one) => one.name() === name);
      const [stray] = command.args;
      if (named) await named.parseAsync(command.args, { from: 'user' });
      else if (name !== undefined) throw new UsageError(`--provider: there is no provider ${JSON.stringify(name)}; there are ${names.join(', ')}`);
      else if (stray !== undefined) throw new UsageError(`${JSON.stringify(stray)} is no provider; there are ${names.join(', ')} (or --provider=NAME before or among its flags)`);
      else command.outputHelp();
    });
}
