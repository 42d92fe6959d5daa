import type { Command } from 'commander';
import * as engineDiff from './engine-diff.ts';
import * as enginePlan from './engine-plan.ts';
import * as engineReplay from './engine-replay.ts';
import * as liveSnapshot from './live-snapshot.ts';

const help = `
What it is:
  The decision engine on files: what it knew at one instant (a snapshot) is all it needs to decide the same again. Nothing
  here talks to a cluster, and nothing is changed. The form of both kinds of files: docs/engine-snapshot.md.

Try it:
  cat > small.json <<'END'
  { "machines": [ {"id": "idle-{1..3}"}, {"id": "buy", "state": "Speculative", "priceMicroUsdPerHour": 96000} ],
    "clusters": { "prod": { "needs": [ {"units": 4} ] } } }
  END
  bigfleet engine plan -f small.json
  bigfleet engine plan -f small.json --demand prod=0.5 --compare`;

/** The verbs, in the order of `engine --help`. Each loads what it needs only when it runs. */
const verbs = [liveSnapshot, engineReplay, enginePlan, engineDiff];

export function register(program: Command): void {
  const engine = program.command('engine').description('plan, replay and compare what the decision engine knew, from files').addHelpText('after', help);
  for (const verb of verbs) verb.register(engine);
}
