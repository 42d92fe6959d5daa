/**
 * What goes because something else went: dependents whose owners are all gone (background collection), Pods whose Node
 * was deleted, the content of namespaces and definitions that are being deleted, and events older than an hour. Runs in
 * turns of the event loop after the change, a limited number of deletions each.
 */
import { asObject, stringAt } from './json.ts';
import type { Stored } from './json.ts';
import { customResourceDefinitions, events as eventType, nodes, pods as podType } from './builtin-types.ts';
import type { Change, Database, Revision } from './database.ts';
import type { Operations } from './operations.ts';
import type { ResourceKind } from './resource-kind.ts';
import { kindId } from './resource-kind.ts';

const TURN = 200;
const EVENT_LIFE_MS = 3_600_000;
const definitionsId = kindId(customResourceDefinitions);

export class Collector {
  private readonly operations: Operations;
  private readonly database: Database;
  private readonly defer: (task: () => void) => void;
  private readonly uids = new Set<string>();
  private readonly dependents = new Map<string, Map<string, Revision>>();
  private readonly podsByNode = new Map<string, Set<string>>();
  private readonly suspects = new Map<string, Revision>();
  private readonly emptying = new Map<string, Revision>();
  private scheduled = false;

  constructor(operations: Operations, defer: (task: () => void) => void) {
    this.operations = operations;
    this.database = operations.database;
    this.defer = defer;
    this.database.listen(undefined, (change) => this.changed(change));
  }

  /** Takes in what was restored, and resumes what a kill may have interrupted. */
  start(): void {
    const all = [...this.database.everything()];
    for (const revision of all) this.uids.add(revision.object.metadata.uid ?? '');
    for (const revision of all) {
      this.index(revision);
      this.suspect(revision);
      if (isContainer(revision.kind) && revision.object.metadata.deletionTimestamp !== undefined) this.empty(revision);
    }
  }

  private changed({ type, before, after }: Change): void {
    const uid = after.object.metadata.uid ?? '';
    if (before) this.unindex(before);
    if (type === 'DELETED') {
      this.uids.delete(uid);
      for (const dependent of this.dependents.get(uid)?.values() ?? []) this.queue(dependent);
      if (after.kind.id === nodes.plural) for (const pod of this.podsOf(after.name)) this.queue(pod);
      this.recheckContainers(after);
      return;
    }
    this.uids.add(uid);
    this.index(after);
    if (!before || before.object.metadata.ownerReferences !== after.object.metadata.ownerReferences || boundNode(before) !== boundNode(after)) this.suspect(after);
    if (isContainer(after.kind) && after.object.metadata.deletionTimestamp !== undefined) this.empty(after);
    if (type === 'ADDED' && after.kind.id === eventType.plural) this.expireEvents(after.namespace);
  }

  private index(revision: Revision): void {
    const id = `${revision.kind.id} ${revision.key}`;
    for (const { uid } of revision.object.metadata.ownerReferences ?? []) {
      let group = this.dependents.get(uid);
      if (!group) this.dependents.set(uid, (group = new Map()));
      group.set(id, revision);
    }
    const node = boundNode(revision);
    if (node === '') return;
    let pods = this.podsByNode.get(node);
    if (!pods) this.podsByNode.set(node, (pods = new Set()));
    pods.add(revision.key);
  }

  private unindex(revision: Revision): void {
    const id = `${revision.kind.id} ${revision.key}`;
    for (const { uid } of revision.object.metadata.ownerReferences ?? []) {
      const group = this.dependents.get(uid);
      group?.delete(id);
      if (group?.size === 0) this.dependents.delete(uid);
    }
    const node = boundNode(revision);
    const pods = this.podsByNode.get(node);
    pods?.delete(revision.key);
    if (pods?.size === 0) this.podsByNode.delete(node);
  }

  private podsOf(node: string): Revision[] {
    return [...(this.podsByNode.get(node) ?? [])].flatMap((key) => {
      const [namespace, name] = key.split('/') as [string, string];
      const found = this.database.get({ id: podType.plural }, namespace, name);
      return found ? [found] : [];
    });
  }

  private suspect(revision: Revision): void {
    if (this.isOrphan(revision)) this.queue(revision);
  }

  private queue(revision: Revision): void {
    this.suspects.set(`${revision.kind.id} ${revision.key}`, revision);
    this.schedule();
  }

  private empty(container: Revision): void {
    this.emptying.set(`${container.kind.id} ${container.name}`, container);
    this.schedule();
  }

  /** The last object of a namespace or kind that is going makes the namespace or definition go. */
  private recheckContainers(gone: Revision): void {
    const found = [
      this.database.get({ id: 'namespaces' }, '', gone.namespace),
      gone.kind.custom ? this.database.get({ id: definitionsId }, '', gone.kind.id) : undefined,
    ];
    for (const container of found) if (container?.object.metadata.deletionTimestamp !== undefined) this.empty(container);
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    this.defer(() => {
      this.scheduled = false;
      this.collect();
      if (this.suspects.size > 0 || this.emptying.size > 0) this.schedule();
    });
  }

  private collect(): void {
    let budget = TURN;
    for (const [id, { kind, namespace, name }] of this.suspects) {
      if (budget-- <= 0) return;
      this.suspects.delete(id);
      const present = this.database.get(kind, namespace, name);
      if (!present || !this.isOrphan(present)) continue;
      const nodeGone = this.nodeIsGone(present);
      this.operations.delete(kind, namespace, name, nodeGone ? { gracePeriodSeconds: 0 } : {});
    }
    for (const [id, container] of this.emptying) {
      if (budget <= 0) return;
      budget = this.emptyContainer(id, container, budget);
    }
  }

  private emptyContainer(id: string, container: Revision, budget: number): number {
    const content = this.contentOf(container);
    let left = budget;
    let waiting = 0;
    for (const { kind, namespace, name, object } of content) {
      if (left <= 0) return left;
      const hopeless = object.metadata.deletionTimestamp !== undefined && (object.metadata.deletionGracePeriodSeconds ?? 0) === 0;
      if (hopeless) {
        waiting++;
        continue;
      }
      left--;
      if (!this.operations.delete(kind, namespace, name, { gracePeriodSeconds: 0 }).gone) waiting++;
    }
    this.emptying.delete(id); // an object that waits for its finalizers brings us back when it goes
    const present = this.database.get(container.kind, '', container.name);
    if (waiting === 0 && present && !present.object.metadata.finalizers?.length) this.operations.remove(present.kind, present.object);
    return left;
  }

  private contentOf({ kind, name, object }: Revision): Revision[] {
    if (kind.id === definitionsId) {
      return [...this.database.values({ id: kindId({ group: stringAt(object, 'spec', 'group'), plural: stringAt(object, 'spec', 'names', 'plural') }) })];
    }
    return this.operations.allKinds().filter((k) => k.type.namespaced).flatMap((k) => [...this.database.values(k, name)]);
  }

  /** All its owners are gone, or its Node is. */
  private isOrphan(revision: Revision): boolean {
    if (this.nodeIsGone(revision)) return true;
    const owners = revision.object.metadata.ownerReferences;
    return owners !== undefined && owners.length > 0 && owners.every((owner) => !this.uids.has(owner.uid) && this.isKnownKind(owner.apiVersion, owner.kind));
  }

  private nodeIsGone(revision: Revision): boolean {
    const node = boundNode(revision);
    return node !== '' && !this.database.get({ id: nodes.plural }, '', node);
  }

  /** Owners of kinds that this server does not have cannot be looked up; their dependents stay. */
  private isKnownKind(apiVersion: string, kind: string): boolean {
    return this.operations.allKinds().some((known) => known.apiVersion === apiVersion && known.type.kind === kind);
  }

  private expireEvents(namespace: string): void {
    const limit = this.operations.clock.now() - EVENT_LIFE_MS;
    const old: Stored[] = [];
    for (const { object } of this.database.values({ id: eventType.plural }, namespace)) {
      const last = object['lastTimestamp'] ?? object['eventTime'] ?? object.metadata.creationTimestamp;
      if (old.length >= 10 || !(Date.parse(String(last)) < limit)) break;
      old.push(object);
    }
    for (const object of old) this.operations.remove(this.operations.kind('', 'events')!, object);
  }
}

function boundNode(revision: Revision): string {
  return revision.kind.id === podType.plural ? String(asObject(revision.object['spec'])['nodeName'] ?? '') : '';
}

function isContainer(kind: ResourceKind): boolean {
  return kind.id === 'namespaces' || kind.id === definitionsId;
}
