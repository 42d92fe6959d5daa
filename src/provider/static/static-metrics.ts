import { Counter, Gauge, type Registry } from 'prom-client';
import type { HookKind, Outcome } from './hook.ts';

/** What the provider's /metrics says of hooks; returns what is to be told of every attempt. */
export function hookMetrics(registry: Registry, running: () => readonly unknown[]): (kind: HookKind, outcome: Outcome) => void {
  const registers = [registry];
  const attempts = new Counter({ name: 'bigfleet_static_hook_attempts_total', help: 'Attempts of hooks that have ended: done, retry or failed.', labelNames: ['hook', 'outcome'], registers });
  new Gauge({
    name: 'bigfleet_static_hooks_running', help: 'Hooks that run now.', registers,
    collect() {
      this.set(running().length);
    },
  });
  return (hook, outcome) => attempts.inc({ hook, outcome });
}

export interface InventoryFacts {
  isBroken(): boolean;
  machines(): number;
  /** Machines that serve without a line in the file. */
  serving(): number;
  /** Machines that are FAILED only because they are not to be handed out. */
  withdrawn(): number;
}

/** What it says of the inventory file. */
export function inventoryMetrics(registry: Registry, facts: InventoryFacts): void {
  const gauge = (name: string, help: string, value: () => number): void => void new Gauge({
    name: `bigfleet_static_${name}`, help, registers: [registry],
    collect() {
      this.set(value());
    },
  });
  gauge('inventory_usable', '1 while the inventory file can be used; 0 = an earlier version is in use.', () => (facts.isBroken() ? 0 : 1));
  gauge('inventory_machines', 'Machines in the version that is in use.', () => facts.machines());
  gauge('withdrawn_machines', 'Machines that are FAILED only because the file does not name them any more, or names a host that another machine has.', () => facts.withdrawn());
  gauge('unlisted_machines', 'Machines that serve a cluster although the file no longer names them.', () => facts.serving());
}
