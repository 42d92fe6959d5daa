import type { MachineState } from '../kit/machine.ts';
import type { StateChangeEvent } from '../kit/events.ts';
import { VirtualClock } from '../../lib/virtual-clock.ts';
import { builtInSeeds } from '../sim/built-in-seeds.ts';
import { runSimProvider, type RunningSim, type SimOptions } from '../sim/run-sim-provider.ts';
import { Rpc, stateName, type ConfigureArgs } from './rpc.ts';

/** The simulated provider behind a real socket, in virtual time: Create 100 ms, Configure 100 ms, Delete 50 ms, recovery 3 s. */
export interface SimHarness {
  readonly sim: RunningSim;
  readonly clock: VirtualClock;
  readonly rpc: Rpc;
  readonly warnings: string[];
  /** A Speculative machine nobody has used yet. */
  fresh(): string;
  toIdle(id: string): Promise<void>;
  toConfigured(id: string, args?: ConfigureArgs): Promise<void>;
  state(id: string): Promise<string>;
  /** Resolves at the next change of this machine to this state, such as `Idle`. */
  becomes(id: string, state: MachineState): Promise<void>;
  close(): Promise<void>;
}

export const fixed = (ms: number): { fromMs: number; toMs: number } => ({ fromMs: ms, toMs: ms });
export const noFailures = { create: 0, configure: 0, drain: 0, delete: 0 };

export async function startSim(overrides: Partial<SimOptions> = {}): Promise<SimHarness> {
  const clock = new VirtualClock();
  const warnings: string[] = [];
  const waiting = new Set<(event: StateChangeEvent) => void>();
  const sim = await runSimProvider({
    onStateChange: (event) => waiting.forEach((wait) => wait(event)),
    listen: '127.0.0.1:0', seeds: () => builtInSeeds(40), clock,
    create: fixed(100), configure: fixed(100), drain: fixed(200), delete: fixed(50), recover: fixed(3_000),
    failureRates: noFailures, interruptionsPerHour: 0, seed: 1,
    onWarning: (text) => warnings.push(text),
    ...overrides,
  });
  const rpc = new Rpc(sim.provider.port);
  const speculative = [...sim.provider.machines()].filter((m) => m.state === 'Speculative').map((m) => m.id);
  let used = 0;
  const advance = (ms: number): Promise<void> => clock.advance(ms);
  const harness: SimHarness = {
    sim, clock, rpc, warnings,
    fresh: () => speculative[used++]!,
    state: async (id) => stateName(await rpc.get(id)),
    becomes: (id, state) => new Promise((resolve) => {
      const wait = ({ machine }: StateChangeEvent): void => {
        if (machine.id !== id || machine.state !== state) return;
        waiting.delete(wait);
        resolve();
      };
      waiting.add(wait);
    }),
    async toIdle(id) {
      await rpc.create(id);
      await advance(100);
    },
    async toConfigured(id, args) {
      await harness.toIdle(id);
      await rpc.configure(id, args);
      await advance(100);
    },
    async close() {
      rpc.close();
      await sim.close();
    },
  };
  return harness;
}
