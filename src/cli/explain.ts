import type { Command } from 'commander';
import { SYSTEM_NAMESPACE } from '../api/constants.ts';
import { UsageError } from '../lib/usage-error.ts';
import { addShardFlags } from './shard-connection.ts';
import type { ShardFlags } from './shard-connection.ts';

interface Output {
  output: string;
}

export interface NeedFlags extends ShardFlags, Output {
  cluster?: string;
  fingerprint?: string;
  group?: string;
  unmet?: boolean;
  limit: string;
}

export interface PodFlags extends ShardFlags, Output {
  cluster?: string;
  kubeconfig?: string;
  operatorNamespace: string;
  priorityClassDefaults?: string;
}

const help = `
What it answers:
  Why is this machine where it is? What became of this demand? What does this Pod wait for? The shard is asked over gRPC
  what it decided last; nothing is changed. The sentences are those of Machine.status.message, of Shard.status.shortfalls and
  of the conditions on CapacityRequests: there is one record, and everything prints it.

Try it, in a second terminal (up prints the address of its shard and the kubeconfigs):
  npm run up -- --keep
  export BIGFLEET_SHARD=127.0.0.1:PORT
  bigfleet explain need --unmet
  bigfleet explain machine cloud-17
  bigfleet explain pod default/web-1 --kubeconfig DATA/world/cluster-0.kubeconfig

Exit codes: 0 found · 1 unknown to the shard, or the shard is out of reach · 2 wrong flags`;

const codes = '\nExit codes: 0 found · 1 unknown to the shard, or the shard is out of reach · 2 wrong flags';

export function register(program: Command): void {
  const explain = program.command('explain').description('why a machine, a demand or a Pod is as it is, asked of a running shard').addHelpText('after', help);
  addOutput(addShardFlags(explain.command('machine').argument('<id>', 'the machine, as its provider names it')))
    .description('why the machine is where it is, and whom it serves')
    .addHelpText('after', `\nExample:\n  bigfleet explain machine cloud-17 --shard 127.0.0.1:7780\n${codes}`)
    .action(async (id: string, flags: ShardFlags & Output) => {
      const format = checked(flags);
      const { explainMachine } = await import('./explain/machine.ts');
      print(await explainMachine(id, flags), format);
    });
  addOutput(addShardFlags(explain.command('need')))
    .description('what became of demand: what serves it, or what it lacks and why')
    .option('--cluster <id>', 'only of this cluster')
    .option('--fingerprint <text>', 'only of this profile, or of those whose fingerprint begins so')
    .option('--group <name>', 'only of this gang')
    .option('--unmet', 'only what is not satisfied')
    .option('--limit <n>', 'at most so many, highest priority first', '20')
    .addHelpText('after', `\nExamples:\n  bigfleet explain need --unmet\n  bigfleet explain need --cluster prod --fingerprint 8f3a -o json\n${codes}`)
    .action(async (flags: NeedFlags) => {
      const format = checked(flags);
      const { explainNeeds } = await import('./explain/need.ts');
      print(await explainNeeds(flags), format);
    });
  addOutput(addShardFlags(explain.command('pod').argument('<namespace/name>', 'the Pod; without a namespace: default')))
    .description('what a Pod waits for, or what it runs on: each link from the Pod to the machine')
    .option('--kubeconfig <file>', "the API server of the Pod's cluster; default: $KUBECONFIG, then in-cluster")
    .option('--cluster <id>', "the id under which the Pod's cluster reports to the shard; default: what the operator's Lease says, then the machine under the Pod")
    .option('--operator-namespace <name>', "where the operator's Lease is in the Pod's cluster", SYSTEM_NAMESPACE)
    .option('--priority-class-defaults <file>', "penalties by PriorityClass where the operator reads Pods itself (--pod-demand=direct); default: what the operator's Lease says")
    .addHelpText('after', `\nExample:\n  bigfleet explain pod default/web-1 --kubeconfig east.kubeconfig --shard 127.0.0.1:7780\n${codes}`)
    .action(async (name: string, flags: PodFlags) => {
      const format = checked(flags);
      const { explainPod } = await import('./explain/pod.ts');
      print(await explainPod(name, flags), format);
    });
}

/** Both forms of one answer. */
export interface Answer {
  readonly text: string;
  readonly json: object;
}

function addOutput(command: Command): Command {
  return command.option('-o, --output <format>', 'text or json', 'text');
}

function checked({ output }: Output): 'text' | 'json' {
  if (output !== 'text' && output !== 'json') throw new UsageError(`-o: "${output}" is not a format; write text or json`);
  return output;
}

function print(answer: Answer, format: 'text' | 'json'): void {
  process.stdout.write(format === 'json' ? `${JSON.stringify(answer.json, undefined, 2)}\n` : `${answer.text}\n`);
}
