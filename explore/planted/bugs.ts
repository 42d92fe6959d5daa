import type { Change } from '../../hack/mutants/tree-copy.ts';

/** A defect of one line, as somebody might make it: the explorer must find it. */
export interface PlantedBug extends Change {
  readonly id: string;
  /** What no longer holds. */
  readonly promise: string;
  /** Worlds that found it when somebody last looked: they are played first, and then all others. */
  readonly foundBy: readonly number[];
}

export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    id: 'fence-not-persisted', promise: 'a provider that was restarted obeys nobody whom it would have refused before', foundBy: [1],
    file: 'src/provider/kit/provider-core.ts', find: '...(fence && { fence }),', replace: '',
  },
  {
    id: 'drain-acknowledged-early', promise: 'a machine is free only when it has left its cluster', foundBy: [6],
    file: 'src/provider/kit/operation-runner.ts', find: 'await asked(() => backend.drainInstance(', replace: 'void asked(() => backend.drainInstance(',
  },
  {
    id: 'ack-before-durable', promise: 'what was acknowledged survives the end of the process', foundBy: [93],
    file: 'src/provider/kit/grpc-service.ts', find: '      await durable().catch((error: unknown) => {', replace: '      durable().catch((error: unknown) => {',
  },
  {
    id: 'sequence-not-raised', promise: 'every attempt carries a token above the last one', foundBy: [3],
    file: 'src/provider/client.ts', find: '(sequence += 1n)', replace: '(sequence + 1n)',
  },
  {
    id: 'epoch-not-raised', promise: 'every start acts under an epoch of its own', foundBy: [4],
    file: 'src/shard/epoch.ts', find: '(stored > floor ? stored : floor) + 1n', replace: '(stored > floor ? stored : floor) || 1n',
  },
  {
    id: 'binding-forgotten', promise: 'a provider that was restarted knows whom its machines serve', foundBy: [3],
    file: 'src/provider/kit/state-codec.ts', find: "cluster: text(record['cluster'], at('cluster')),", replace: "cluster: '',",
  },
  {
    id: 'quarantine-skipped', promise: 'a List that suddenly lacks most machines takes none of them away', foundBy: [200],
    file: 'src/reconcilers/provider/removal.ts', find: 'return missing > Math.max(QUARANTINE_MACHINES, known * QUARANTINE_FRACTION);', replace: 'return missing > 1_000 * (QUARANTINE_MACHINES + known * QUARANTINE_FRACTION);',
  },
  {
    id: 'reclaim-before-rollup', promise: 'nothing is reclaimed from a cluster that has not said yet what it needs', foundBy: [66],
    file: 'src/shard/compose.ts', find: 'setbacks.clusters.succeeded(cluster); // perhaps another process, which may be able to',
    replace: "setbacks.clusters.succeeded(cluster); engine.apply({ kind: 'session', cluster, connected: true }); if (!demand.hasReported(cluster)) engine.apply({ kind: 'needs', cluster, needs: [] });",
  },
  {
    id: 'replay-starts-twice', promise: 'a repeated call is answered, and nothing is begun again', foundBy: [111],
    file: 'src/provider/kit/provider-core.ts', find: "return { do: 'replay', operationId: recorded };",
    replace: "return { do: 'start', pending: { kind, operationId: `${recorded}-again` }, machine };",
  },
  {
    id: 'audit-line-dropped', promise: 'nothing is taken without a line in the audit log', foundBy: [6],
    file: 'src/reconcilers/shard/cycle.ts', find: "this.record(wanted, 'decided');", replace: "this.record(wanted.filter(({ kind }) => kind !== 'Preempt'), 'decided');",
  },
  {
    id: 'taken-unrecorded', promise: 'nothing is taken while the audit log cannot be written', foundBy: [39],
    file: 'src/reconcilers/shard/cycle.ts', find: '(!isRecorded && TAKING.has(action.kind));', replace: '(!isRecorded && TAKING.size === 0);',
  },
  {
    id: 'operation-number-not-persisted', promise: 'no operation id is used twice', foundBy: [21],
    file: 'src/provider/kit/provider-core.ts', find: '...(started && { machine: started, nextOperation: this.nextOperation + 1 }),', replace: '...(started && { machine: started }),',
  },
  {
    id: 'not-after-unsent', promise: 'a call of a process that stood still while it was succeeded is refused', foundBy: [99],
    file: 'src/provider/client.ts', find: 'if (notAfter !== undefined) metadata.set(', replace: 'if (notAfter === 0) metadata.set(',
  },
  {
    id: 'not-after-unread', promise: 'a provider refuses what comes later than it may', foundBy: [99],
    file: 'src/provider/kit/provider-core.ts', find: 'this.options.clock.now() > notAfterMs)', replace: 'this.options.clock.now() > notAfterMs * 2)',
  },
  {
    id: 'repair-rests-for-ever', promise: 'a machine that was repaired is used again', foundBy: [61],
    file: 'src/shard/setbacks.ts', find: '=== until) this.inventory.update(id, { coolUntil: 0 });', replace: '=== until) return;',
  },
  {
    id: 'refusal-believed', promise: 'what becomes of a try without an answer is seen before a refusal of the next one counts', foundBy: [10],
    file: 'src/reconcilers/machine/reconciler.ts', find: 'if (!isHeld) return this.refused(', replace: 'if (refusal) return this.refused(',
  },
  {
    id: 'look-believed', promise: 'a call that is late is waited for, until it cannot take effect any more', foundBy: [10],
    file: 'src/reconcilers/machine/next-step.ts', find: "return inDoubtUntilMonotonicMs > monotonicMs ? { do: 'wait', for: 'doubt' } : { do: 'look' };", replace: "return { do: 'conclude' };",
  },
  {
    id: 'leap-believed', promise: 'what a machine that was suspended asks for before its clock is set comes too late', foundBy: [538],
    file: 'src/provider/client.ts', find: 'offset.toProviderLimit(notAfterMonotonicMs)', replace: 'offset.toProviderTime(notAfterMonotonicMs)',
  },
  {
    id: 'hold-drops-nothing', promise: 'what was decided of a machine and has not begun when a person holds it does not begin', foundBy: [6],
    file: 'src/reconcilers/machine/next-step.ts', find: "  if (machine.hold && (isOursToBegin(machine) || isUnsent(machine))) return { do: 'drop' };\n", replace: '',
  },
  {
    id: 'hold-lets-configure', promise: 'a Configure that brought no answer is not made again while a person holds the machine', foundBy: [146],
    file: 'src/reconcilers/machine/next-step.ts', find: "if (machine.hold && machine.seen.state === 'Idle') return", replace: "if (machine.hold && machine.busy) return",
  },
  {
    id: 'hold-unseen-at-start', promise: 'a process that starts knows which machines a person holds', foundBy: [136],
    file: 'src/shard/inventory.ts', find: 'base?.hold ?? this.isHeld(seen.id)', replace: 'base?.hold ?? false',
  },
  // Only worlds with two providers can tell.
  {
    id: 'gate-shared', promise: 'a provider that does not answer calls takes nobody else’s turn', foundBy: [174],
    file: 'src/shard/provider/room.ts', find: 'this.gate = new ProviderGate({ clock, random, limit: options.concurrency });',
    replace: 'this.gate = (options.inventory as { gate?: ProviderGate }).gate ??= new ProviderGate({ clock, random, limit: options.concurrency });',
  },
  {
    id: 'unseen-overlooked', promise: 'what serves and is not seen is not bought a second time', foundBy: [3],
    file: 'src/shard/provider/rooms.ts', find: 'room.unseen > 0 ? [[', replace: 'room.unseen > 1_000 ? [[',
  },
  {
    id: 'empty-list-believed', promise: 'a List that names nothing takes nothing away', foundBy: [6],
    file: 'src/reconcilers/provider/removal.ts', find: 'named.size === 0 && held > 0;', replace: 'named.size === 0 && held > 10;',
  },
];
