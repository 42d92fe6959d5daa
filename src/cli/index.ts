import type { Command } from 'commander';

/** The list of subcommands, in the order of `--help`. */
const modules: readonly (() => Promise<{ register(program: Command): void }>)[] = [
  () => import('./up.ts'),
  () => import('./shard.ts'),
  () => import('./operator.ts'),
  () => import('./pod-controller.ts'),
  () => import('./agent.ts'),
  () => import('./provider.ts'),
  () => import('./conformance.ts'),
  () => import('./engine.ts'),
  () => import('./explain.ts'),
  () => import('./mode-verbs.ts'),
  () => import('./machine-verbs.ts'),
  () => import('./world.ts'),
  () => import('./node-agent.ts'),
];

export async function registerCommands(program: Command): Promise<void> {
  for (const load of modules) (await load()).register(program);
}
