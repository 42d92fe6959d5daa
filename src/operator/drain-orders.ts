import type { ReclaimAck, ReclaimInstruction } from '../api/gen/bigfleet/v1alpha1/shard.ts';
import { timestamp } from '../lib/timestamp.ts';
import type { ObjectMeta } from '../runtime/types.ts';
import { DRAIN_DEADLINE_ANNOTATION, DRAIN_INSTRUCTION_ANNOTATION } from './labels.ts';

const DEFAULT_GRACE_SECONDS = 30;

export interface DrainOrder {
  readonly instructionId: string;
  /** Unix milliseconds, whole seconds: it survives a restart as an annotation. */
  readonly deadlineMs: number;
}

/** The order as annotations, so that it outlives the process (spec: cluster-operator 4.7). */
export function orderAnnotations(order: DrainOrder): Record<string, string> {
  return { [DRAIN_INSTRUCTION_ANNOTATION]: order.instructionId, [DRAIN_DEADLINE_ANNOTATION]: timestamp(order.deadlineMs) };
}

export function orderOf(meta: ObjectMeta | undefined): DrainOrder | undefined {
  const instructionId = meta?.annotations?.[DRAIN_INSTRUCTION_ANNOTATION];
  const deadlineMs = Date.parse(meta?.annotations?.[DRAIN_DEADLINE_ANNOTATION] ?? '');
  return instructionId === undefined || Number.isNaN(deadlineMs) ? undefined : { instructionId, deadlineMs };
}

interface Instruction {
  readonly waiting: Set<string>;
  started: number;
}

/** Reclaim instructions on their way to becoming annotations, and which of them are still to be acknowledged. */
export class DrainOrders {
  private readonly orders = new Map<string, DrainOrder>();
  private readonly instructions = new Map<string, Instruction>();
  private readonly byNode = new Map<string, string>();
  private readonly holds = new Map<string, string>();
  private readonly acknowledge: (ack: ReclaimAck) => void;

  constructor(acknowledge: (ack: ReclaimAck) => void) {
    this.acknowledge = acknowledge;
  }

  /** Takes an instruction for these machines, given in its own order. An earlier order keeps the later deadline. */
  accept({ instructionId, gracePeriodSeconds }: ReclaimInstruction, machineIds: readonly string[], nowMs: number): void {
    const grace = gracePeriodSeconds > 0n ? Number(gracePeriodSeconds) : DEFAULT_GRACE_SECONDS;
    const deadlineMs = Math.ceil(nowMs / 1000) * 1000 + grace * 1000;
    this.instructions.set(instructionId, { waiting: new Set(machineIds), started: 0 });
    for (const id of machineIds) {
      this.orders.set(id, { instructionId, deadlineMs: Math.max(deadlineMs, this.orders.get(id)?.deadlineMs ?? 0) });
    }
    if (machineIds.length === 0) this.settleInstruction(instructionId);
  }

  get(machineId: string): DrainOrder | undefined {
    return this.orders.get(machineId);
  }

  /** An order found on an object after a restart, or lengthened by what it says. */
  adopt(machineId: string, order: DrainOrder): void {
    this.orders.set(machineId, order);
  }

  /** The machine's Node is cordoned, or there is none. The last one of an instruction acknowledges it. */
  started(machineId: string, nodeName: string | undefined): void {
    if (nodeName) this.byNode.set(nodeName, machineId);
    for (const [id, instruction] of this.instructions) {
      if (!instruction.waiting.delete(machineId)) continue;
      if (nodeName) instruction.started++;
      if (instruction.waiting.size === 0) this.settleInstruction(id);
    }
  }

  /** Whose drain a Pod of this Node concerns. */
  machineOn(nodeName: string): string | undefined {
    return this.byNode.get(nodeName);
  }

  /** Which of the machine's Pods cannot be evicted at present, and why; '' = nothing holds it up. */
  held(machineId: string, words: string): void {
    if (words === '') this.holds.delete(machineId);
    else this.holds.set(machineId, words);
  }

  heldBy(machineId: string): string {
    return this.holds.get(machineId) ?? '';
  }

  finished(machineId: string, nodeName: string | undefined): void {
    this.holds.delete(machineId);
    this.orders.delete(machineId);
    if (nodeName) this.byNode.delete(nodeName);
  }

  private settleInstruction(instructionId: string): void {
    const instruction = this.instructions.get(instructionId);
    if (!instruction) return;
    this.instructions.delete(instructionId);
    this.acknowledge({ instructionId, nodesStarted: instruction.started });
  }
}
