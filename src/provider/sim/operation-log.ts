import * as fs from 'node:fs';
import { dirname } from 'node:path';
import { makeFolder } from '../../lib/make-folder.ts';
import type { Clock } from '../../lib/clock.ts';
import type { CallEvent, ProviderEvents, StateChangeEvent } from '../kit/events.ts';
import type { Machine } from '../kit/machine.ts';

/** A record of every mutating call and every change of state, for whoever wants to check the system from outside. */
export interface OperationLog extends ProviderEvents {
  close(): void;
}

/**
 * Appends JSON lines to a file, each written before the change it tells of is answered. Times are Unix milliseconds,
 * 64-bit numbers are strings. A log that cannot be written is reported once and never stops the provider.
 */
export function openOperationLog(path: string, clock: Clock, onWarning: (text: string) => void): OperationLog {
  makeFolder(dirname(path));
  const fd = fs.openSync(path, 'a', 0o644);
  let healthy = true;
  const write = (line: object): void => {
    try {
      fs.writeSync(fd, `${JSON.stringify({ t: clock.now(), ...line })}\n`);
      healthy = true;
    } catch (error) {
      if (healthy) onWarning(`the operation log ${path} has a gap: ${error instanceof Error ? error.message : String(error)}`);
      healthy = false;
    }
  };
  return {
    onCall: (event) => write(callLine(event)),
    onStateChange: (event) => write(stateLine(event)),
    close: () => fs.closeSync(fd),
  };
}

function callLine({ rpc, machineId, outcome, operationId, clusterId, token }: CallEvent): object {
  return {
    event: 'call', rpc, machineId, outcome, operationId, clusterId,
    shardId: token.shardId, epoch: String(token.epoch), sequence: String(token.sequence),
  };
}

function stateLine({ from, machine, cause }: StateChangeEvent): object {
  return {
    event: 'state', machineId: machine.id, from, to: machine.state, clusterId: machine.cluster,
    priceMicroUsdPerHour: microUsd(machine), capacityType: machine.capacityType, instanceType: machine.instanceType, cause,
  };
}

function microUsd(machine: Machine): number {
  return Math.round(machine.pricePerHour * 1e6);
}
