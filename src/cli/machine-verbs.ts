import type { Command } from 'commander';
import type { KubeClient } from '../runtime/index.ts';

interface HubFlags {
  kubeconfig?: string;
  namespace: string;
}

type Verb = 'release' | 'hold' | 'unhold';

const VERBS: Readonly<Record<Verb, { readonly description: string; readonly help: string }>> = {
  release: {
    description: 'give a machine back for good: drained, then deleted where it can be bought again',
    help: 'Its Pods move first, within their budgets. Bare metal and reserved capacity is drained, becomes Idle and stays.',
  },
  hold: {
    description: 'leave a machine alone until unhold: chosen for nothing, taken from no one',
    help: 'What runs on it goes on running; what is under way at its provider ends.',
  },
  unhold: { description: 'end a hold', help: 'From the next plan on the machine is like any other.' },
};

/** `bigfleet release|hold|unhold machine NAME`: what a person may say of one machine, written to its object on the hub. */
export function register(program: Command): void {
  for (const [verb, { description, help }] of Object.entries(VERBS) as [Verb, (typeof VERBS)[Verb]][]) {
    program
      .command(verb)
      .description(description)
      .command('machine')
      .argument('<name>', 'the machine: its id, or the name of its object')
      .description(description)
      .option('--kubeconfig <file>', 'the hub; default: $KUBECONFIG, then in-cluster')
      .option('--namespace <name>', 'where the Machine objects are', 'bigfleet-system')
      .addHelpText('after', `\n${help}\n\nExample:\n  bigfleet ${verb} machine cloud-17 --kubeconfig hub.kubeconfig\n\nExit codes: 0 said · 1 there is no such object, or the hub is out of reach · 2 wrong flags`)
      .action((name: string, flags: HubFlags) => run(verb, name, flags));
  }
}

async function run(verb: Verb, name: string, flags: HubFlags): Promise<void> {
  const [{ createKubeClient, loadKubeConfig }, { systemClock }] = await Promise.all([import('../runtime/index.ts'), import('../lib/clock.ts')]);
  const config = loadKubeConfig(flags.kubeconfig === undefined ? {} : { path: flags.kubeconfig });
  const client = createKubeClient({ config, clock: systemClock, random: Math.random, fieldManager: 'bigfleet-cli', userAgent: 'bigfleet-cli' });
  try {
    process.stdout.write(`${await say(verb, name, flags.namespace, client)}\n`);
  } finally {
    await client.close();
  }
}

/** Writes a person's wish to the Machine object and returns what was said. Throws if there is no such object. */
export async function say(verb: Verb, name: string, namespace: string, client: KubeClient): Promise<string> {
  const [{ machineObjectName }, { MachineResource }, { RELEASE_ANNOTATION }, { isNotFound }] = await Promise.all([
    import('../api/names.ts'), import('../api/resources.ts'), import('../api/constants.ts'), import('../runtime/index.ts'),
  ]);
  const ref = { namespace, name: machineObjectName(name) };
  try {
    if (verb !== 'release') {
      await client.patch(MachineResource, ref, { spec: { hold: verb === 'hold' } });
      return `machine ${name}: ${verb === 'hold' ? 'on hold' : 'no longer on hold'}`;
    }
    await client.patch(MachineResource, ref, { metadata: { annotations: { [RELEASE_ANNOTATION]: 'true' } } });
    await client.delete(MachineResource, ref);
    return `machine ${name}: to be released; its object goes when that is done`;
  } catch (error) {
    if (!isNotFound(error)) throw error;
    throw new Error(
      `there is no Machine ${ref.name} in namespace ${namespace} at ${client.server}. A machine that is Speculative has no object, nor has most of a fleet of more than 20,000; ` +
      'make one with spec.machineId, spec.shardRef and spec.providerRef to say something of it',
      { cause: error },
    );
  }
}
