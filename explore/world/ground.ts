import type { Deed, Host } from './substrate.ts';
import type { Timeline } from './timeline.ts';
import type { Transcript } from './transcript.ts';

/** One line of the audit log of any process of the shard. */
export interface AuditLine {
  readonly at: number;
  readonly kind: string;
  readonly machine: string;
  readonly outcome: string;
}

export interface Token {
  readonly epoch: bigint;
  readonly sequence: bigint;
}

/** A mutating call. */
export interface Mutation {
  readonly kind: string;
  readonly id: string;
  /** Of a Configure; else ''. */
  readonly cluster: string;
  readonly shard: string;
  readonly token: Token;
  /** The process of the shard that made it, and when. */
  readonly sender: string;
  readonly sentAt: number;
}

/** After a look at the Lease that brought no answer. */
const UNPROVEN_MS = 30_000;
const LEASE_MS = 15_000;
const TRACELESS_MS = 60_000;
/** What a process has read it knows after so long. */
const READ_MS = 500;

/** Ground truth: what really happened, whatever any program believes; and what must never happen. */
export class Ground {
  readonly violations: string[] = [];
  /** The machines as they are; the substrate's. */
  hosts: ReadonlyMap<string, Host> = new Map();
  readonly audit: AuditLine[] = [];
  /** Machines that began to join a cluster, in that order. */
  readonly bound: string[] = [];
  /** When somebody who does not keep the rules last took or deleted the Lease: then nobody can know how long its holder may feel sure. */
  leaseBrokenAt = -Infinity;
  private readonly timeline: Timeline;
  private readonly transcript: Transcript;
  /** By shard and machine: the last call that a provider accepted, and the last one of which it said so. */
  private readonly acceptedTokens = new Map<string, Token>();
  private readonly acknowledgedTokens = new Map<string, Token>();
  /** By machine and cluster: when its operator heard last that the machine has left, or never comes. */
  private readonly toldGoneAt = new Map<string, number>();
  private leadingSince = 0;
  private readonly reports = new Set<string>();
  private readonly leaders: string[] = [];
  private readonly epochs = new Map<string, string>();
  /** Who speaks under the epoch of another, and could not know: `sender epoch`. */
  private readonly excused = new Set<string>();
  /** By process of the shard and machine: since when it has read that a person holds the machine. */
  private readonly holds = new Map<string, number>();

  constructor(timeline: Timeline, transcript: Transcript) {
    this.timeline = timeline;
    this.transcript = transcript;
  }

  note(what: string): void {
    this.transcript.add('ground', what);
  }

  violate(what: string): void {
    if (this.violations.includes(what)) return;
    this.violations.push(what);
    this.transcript.add('VIOLATION', what);
  }

  /** Something is begun on a machine. */
  began(id: string, deed: Deed, other: string | undefined, host: Host | undefined): void {
    this.note(`${id} ${deed} begins${host?.cluster ? ` (${host.cluster}${host.pods > 0 ? `, ${host.pods} Pods` : ''})` : ''}`);
    if (other !== undefined) this.violate(`${id}: ${deed} begins while ${other} is under way`);
    if (deed === 'create' && host) this.violate(`${id}: created although ${host.ref} is there: one of the two leaks`);
    if (deed === 'configure' && !host) this.violate(`${id}: configured although there is no host`);
    if (deed === 'configure' && host?.cluster) this.violate(`${id}: configured although it belongs to ${host.cluster} and was not drained`);
    if (deed === 'delete' && host?.cluster) this.violate(`${id}: deleted although it belongs to ${host.cluster}`);
    if ((deed === 'drain' || deed === 'delete') && host?.cluster) this.taken(id, deed, host);
    if (deed === 'configure') this.bound.push(id);
  }

  /** A provider accepts a mutation: here the order of calls is made, not where they are sent or their answers arrive. */
  accepted({ kind, id, cluster, shard, token, sender, sentAt }: Mutation, apiTroubleAt: number): void {
    this.obeyed(kind, id, sender, apiTroubleAt);
    const key = `${shard} ${id}`;
    const mark = this.acceptedTokens.get(key);
    if (mark && !isAbove(token, mark)) this.violate(`${id}: ${kind} of ${sender} was accepted under a token that is not above one accepted before`);
    else this.acceptedTokens.set(key, token);
    if (this.leadsLast(sender) && (this.toldGoneAt.get(`${id} ${cluster}`) ?? -Infinity) > sentAt) {
      this.violate(`${id}: ${cluster} was told that it never comes, and a Configure that ${sender} had sent before takes effect after all`);
    }
  }

  /** It says so: durable, whatever happens next. */
  acknowledged({ id, shard, token }: Mutation): void {
    const key = `${shard} ${id}`;
    const mark = this.acknowledgedTokens.get(key);
    if (!mark || isAbove(token, mark)) this.acknowledgedTokens.set(key, token);
  }

  /** What the disk of the provider of these machines holds after a crash, by shard and machine. What nobody was told may be lost. */
  restored(machines: ReadonlySet<string>, marks: ReadonlyMap<string, Token>): void {
    const isOfThese = (key: string): boolean => machines.has(key.slice(key.indexOf(' ') + 1));
    for (const [key, token] of this.acknowledgedTokens) {
      const mark = marks.get(key);
      if (isOfThese(key) && (!mark || isAbove(token, mark))) this.violate(`${key}: a call was acknowledged, and after the crash the provider's disk does not know it`);
    }
    for (const key of this.acceptedTokens.keys()) if (isOfThese(key)) this.acceptedTokens.delete(key);
    for (const [key, mark] of marks) this.acceptedTokens.set(key, mark);
  }

  /** It has the Lease, and an epoch of its own. */
  leads(process: string): void {
    this.leaders.push(process);
    this.leadingSince = this.timeline.now;
  }

  /** Nobody has begun to lead after it. */
  leadsLast(process: string): boolean {
    return this.leaders.at(-1) === process;
  }

  /** A process of the shard has taken in a roll-up of the cluster, and says so. */
  heard(process: string, cluster: string): void {
    this.reports.add(`${process} ${cluster}`);
  }

  /** A process of the shard has read in a Machine object whether a person holds the machine. */
  read(process: string, id: string, isHeld: boolean): void {
    const key = `${process} ${id}`;
    if (!isHeld) this.holds.delete(key);
    else if (!this.holds.has(key)) this.holds.set(key, this.timeline.now);
  }

  /** A process of the shard wants a machine changed. What it wanted before it read of a hold may still be on its way. */
  wanted(process: string, kind: string, id: string): void {
    const since = this.holds.get(`${process} ${id}`) ?? Infinity;
    if (since < this.timeline.now - READ_MS) this.violate(`${id}: ${process} wants ${kind}, and has read ${((this.timeline.now - since) / 1000).toFixed(1)} s before that a person holds it`);
  }

  /** An operator is told that a machine has left, or never comes. */
  toldGone(id: string, cluster: string): void {
    this.toldGoneAt.set(`${id} ${cluster}`, this.timeline.now);
    const host = this.hosts.get(id);
    if (host?.cluster === cluster && !this.isDecided(id, host)) this.violate(`${id}: ${cluster} is told that it is gone, and it is there, and nobody has decided to take it`);
  }

  /** A process of the shard speaks under an epoch. */
  spoke(sender: string, epoch: bigint, name: string, id: string, apiTroubleAt: number): void {
    const cluster = this.hosts.get(id)?.cluster ?? '';
    if (name === 'drain' && cluster !== '' && !this.reports.has(`${sender} ${cluster}`)) this.violate(`${id}: ${sender} drains it without having heard what ${cluster} needs`);
    const claim = `${sender} ${epoch}`;
    const other = this.epochs.get(String(epoch));
    // With the Lease deleted and nothing published there is nothing left on another host that knows of it.
    const isLost = Math.min(this.leaseBrokenAt, apiTroubleAt) > this.timeline.now - TRACELESS_MS;
    if (other !== undefined && other !== sender && isLost) this.excused.add(claim);
    if (this.excused.has(claim)) return;
    if (other !== undefined && other !== sender) this.violate(`${sender} speaks under epoch ${epoch}, which was that of ${other}`);
    else this.epochs.set(String(epoch), sender);
  }

  /** What a process has put into its audit log is there. */
  audited(text: string): void {
    for (const line of text.split('\n')) {
      if (line === '') continue;
      const { message, kind, machine, outcome } = JSON.parse(line) as AuditLine & { readonly message: string };
      if (message !== 'action') continue;
      this.audit.push({ at: this.timeline.now, kind, machine, outcome });
      this.transcript.add('audit', `${outcome} ${kind} ${machine}`);
    }
  }

  /** Whoever was succeeded is not obeyed any more (D16). What it could not know, for want of an answer, it may acquire for a moment. */
  private obeyed(kind: string, id: string, sender: string, apiTroubleAt: number): void {
    const successor = this.leaders.at(-1);
    // Without the Lease that both knew, each may be right to feel sure, or may come back.
    if (this.leaseBrokenAt > this.leadingSince - LEASE_MS) return;
    if (successor === undefined || successor === sender || !this.leaders.includes(sender)) return;
    const isExcused = (kind === 'create' || kind === 'configure') && this.timeline.now - apiTroubleAt < UNPROVEN_MS;
    if (!isExcused) this.violate(`${id}: ${kind} of ${sender} was accepted although ${successor} leads`);
  }

  private isDecided(id: string, host: Host): boolean {
    return this.audit.some((line) => line.machine === id && line.at >= host.boundAt && line.outcome === 'decided' && (line.kind === 'Reclaim' || line.kind === 'Preempt'));
  }

  private taken(id: string, deed: Deed, host: Host): void {
    if (!this.isDecided(id, host)) this.violate(`${id}: ${deed} takes it from ${host.cluster} with ${host.pods} Pods on it, and the audit log has no decision`);
  }
}

function isAbove(token: Token, mark: Token): boolean {
  return token.epoch === mark.epoch ? token.sequence > mark.sequence : token.epoch > mark.epoch;
}
