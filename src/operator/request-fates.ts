import type { CapacityRequest, Pod } from '../api/types.ts';
import type { Store } from '../runtime/types.ts';
import type { FateLedger } from './fate-ledger.ts';
import { nextStatus, type RequestFacts, type StatusChange } from './request-status.ts';
import type { DemandBook } from './rollup.ts';

/** Brings together what is known of one request: its row, its acknowledgement, its Pod. Reads only. */
export class RequestFates {
  private readonly book: DemandBook;
  private readonly ledger: FateLedger;
  private readonly pods: Store<Pod>;
  private readonly unfitting: (requestKey: string) => string | undefined;

  constructor(book: DemandBook, ledger: FateLedger, pods: Store<Pod>, unfitting: (requestKey: string) => string | undefined = () => undefined) {
    this.book = book;
    this.ledger = ledger;
    this.pods = pods;
    this.unfitting = unfitting;
  }

  /** The status to write now, or undefined. */
  next(key: string, request: CapacityRequest, nowMs: number): StatusChange | undefined {
    return nextStatus(request, this.facts(key, request), nowMs);
  }

  /** The Pod that the request was made for, if it still is that Pod. */
  podOf(request: CapacityRequest): Pod | undefined {
    const owner = request.metadata.ownerReferences?.find((o) => o.kind === 'Pod');
    const pod = owner && this.pods.get(`${request.metadata.namespace ?? ''}/${owner.name}`);
    return pod?.metadata.uid === owner?.uid ? pod : undefined;
  }

  private facts(key: string, request: CapacityRequest): RequestFacts {
    const row = this.book.rowOf(key);
    return {
      rejection: this.book.rejectionOf(key),
      acknowledgedAtMs: this.ledger.acknowledgedAtMs(key),
      settled: this.ledger.isSettled(key),
      bound: Boolean(this.podOf(request)?.spec.nodeName),
      verdict: row && this.ledger.verdictFor(key, row.statusKey),
      unfitting: this.unfitting(key),
    };
  }
}
