import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { CapacityProviderResource, MachineResource, NamespaceResource, ShardResource } from '../../src/api/resources.ts';
import type { CapacityProvider, Machine, Shard } from '../../src/api/types.ts';
import { customResourceDefinitions } from '../../src/embedded/builtin-types.ts';
import { Database, encodeLine, eventLine } from '../../src/embedded/database.ts';
import { createStore } from '../../src/embedded/embedded-store.ts';
import { filterOf } from '../../src/embedded/http/filter.ts';
import { ListReader } from '../../src/embedded/http/list.ts';
import { isTrue, readRequest } from '../../src/embedded/http/request-info.ts';
import type { ResourceRequest } from '../../src/embedded/http/request-info.ts';
import type { JsonObject } from '../../src/embedded/json.ts';
import { Operations } from '../../src/embedded/operations.ts';
import { expired, StatusError } from '../../src/embedded/status-error.ts';
import type { TransportRequest } from '../../src/runtime/client/transport.ts';
import type { Clock } from '../../src/lib/clock.ts';

export const NAMESPACE = 'bigfleet-system';
export const SHARD = 'shard-0';

const definitions = ['machines', 'shards', 'capacityproviders'].map((name) =>
  JSON.stringify(parse(readFileSync(new URL(`../../config/crd/bases/control.bigfleet.lucy.sh_${name}.yaml`, import.meta.url), 'utf8'))));

export interface WatchSink {
  line(bytes: Uint8Array): void;
}

/** The API server of the world: the embedded one's operations and rules, without its sockets. What it stores, it keeps. */
export class SimulatedApiServer {
  readonly store;
  private readonly operations: Operations;
  private readonly lists: ListReader;

  constructor(clock: Clock, spec: Shard['spec']) {
    let uids = 0;
    const database = new Database({ events: 5_000, bytes: 16 * 1024 * 1024 }, (error) => {
      throw error;
    });
    this.operations = new Operations(database, clock, { uid: () => `uid-${++uids}`, suffix: () => String(++uids).padStart(5, '0') });
    this.lists = new ListReader(this.operations);
    this.store = createStore(this.operations);
    const kind = this.operations.kind(customResourceDefinitions.group, customResourceDefinitions.plural)!;
    for (const definition of definitions) this.operations.create(kind, '', JSON.parse(definition) as JsonObject);
    this.store.create(NamespaceResource, { metadata: { name: NAMESPACE } });
    this.store.create<Shard>(ShardResource, { metadata: { name: SHARD, namespace: NAMESPACE }, spec });
  }

  addProvider({ name, address }: { readonly name: string; readonly address: string }, spec: Partial<CapacityProvider['spec']>): void {
    this.store.create<CapacityProvider>(CapacityProviderResource, { metadata: { name, namespace: NAMESPACE }, spec: { address, shardRef: SHARD, ...spec } });
  }

  /** A person says so of the machine; of one without an object by making it. */
  hold(id: string, providerRef: string, hold: boolean): void {
    const ref = { namespace: NAMESPACE, name: id };
    if (this.store.get<Machine>(MachineResource, ref)) this.store.mutate<Machine>(MachineResource, ref, (draft) => ({ ...draft, spec: { ...draft.spec, hold } }));
    else if (hold) this.store.create<Machine>(MachineResource, { metadata: ref, spec: { machineId: id, providerRef, shardRef: SHARD, hold } });
  }

  /** One exchange but a watch; throws StatusError. */
  perform({ method, path, body, contentType }: Pick<TransportRequest, 'method' | 'path' | 'body' | 'contentType'>): unknown {
    const { operations } = this;
    const info = this.read(method, path);
    const { kind, namespace, name, subresource, query } = info;
    const target = subresource === 'status' ? 'status' : 'object';
    const given = body === undefined ? {} : (JSON.parse(body) as JsonObject);
    switch (info.verb) {
      case 'get':
        return JSON.parse(operations.need(kind, namespace, name).json);
      case 'list': {
        const page = this.lists.read(kind, filterOf(kind, namespace, query), query);
        const metadata = { resourceVersion: String(page.version), ...(page.continueToken !== undefined && { continue: page.continueToken }) };
        return { metadata, items: page.revisions.map((revision) => JSON.parse(revision.json) as unknown) };
      }
      case 'create':
        return JSON.parse(operations.create(kind, namespace, given).json);
      case 'update':
        return JSON.parse(operations.update(kind, namespace, name, given, target).json);
      case 'patch':
        if (contentType !== 'application/merge-patch+json') throw new StatusError(415, 'UnsupportedMediaType', `not simulated: ${contentType}`);
        return JSON.parse(operations.patch(kind, namespace, name, given, 'merge', target).json);
      case 'delete': {
        const { preconditions } = given as { preconditions?: { uid?: string; resourceVersion?: string } };
        return JSON.parse(JSON.stringify(operations.delete(kind, namespace, name, preconditions ? { preconditions } : {}).object));
      }
      default:
        throw new StatusError(405, 'MethodNotAllowed', `not simulated: ${info.verb}`);
    }
  }

  /** Streams what a watch tells until it is stopped; throws StatusError. */
  watch(path: string, line: (bytes: Uint8Array) => void): () => void {
    const { kind, namespace, query } = this.read('GET', path);
    const { database } = this.operations;
    const filter = filterOf(kind, namespace, query);
    const asked = query.get('resourceVersion') ?? '';
    const initial = isTrue(query.get('sendInitialEvents'));
    let sent = Number(asked);
    if (initial || asked === '' || asked === '0') {
      for (const revision of database.sorted(kind, filter.namespace)) if (filter.matches(revision)) line(Buffer.from(`{"type":"ADDED","object":${revision.json}}\n`));
      sent = database.version;
      if (initial) line(this.bookmark(kind, true));
    } else {
      if (sent < database.oldestVersion || sent > database.version) throw expired(`too old resource version: ${asked}`);
      for (const change of database.changesAfter(kind, sent)) deliver(change, encodeLine);
    }
    return database.listen(kind.type, (change) => deliver(change, eventLine));

    function deliver(change: Parameters<typeof encodeLine>[0], encode: typeof encodeLine): void {
      if (change.version <= sent) return;
      sent = change.version;
      const is = change.type !== 'DELETED' && filter.matches(change.after);
      const was = change.before !== undefined && filter.matches(change.before);
      if (is || was) line(encode(change, is ? (was ? 'MODIFIED' : 'ADDED') : 'DELETED'));
    }
  }

  bookmark(kind: ResourceRequest['kind'], isEndOfInitial = false): Uint8Array {
    const metadata = { resourceVersion: String(this.operations.database.version), ...(isEndOfInitial && { annotations: { 'k8s.io/initial-events-end': 'true' } }) };
    return Buffer.from(`${JSON.stringify({ type: 'BOOKMARK', object: { kind: kind.type.kind, apiVersion: kind.apiVersion, metadata } })}\n`);
  }

  bookmarkOf(path: string): Uint8Array {
    return this.bookmark(this.read('GET', path).kind);
  }

  /** Watches that want to go on from before now have to begin anew. */
  forgetHistory(): void {
    this.operations.database.forgetHistory();
  }

  private read(method: string, url: string): ResourceRequest {
    const [path = '', search = ''] = url.split('?');
    const info = readRequest(this.operations, method, path, new URLSearchParams(search));
    if (!info) throw new StatusError(404, 'NotFound', 'the server could not find the requested resource');
    return info;
  }
}
