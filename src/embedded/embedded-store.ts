/** In-process access to the objects: the same operations as over HTTP, without HTTP. */
import type { EmbeddedStore } from './api.ts';
import { cloneJson } from './json.ts';
import type { JsonObject, Stored } from './json.ts';
import { pods as podType } from './builtin-types.ts';
import type { Operations } from './operations.ts';
import { bound } from './pod-rules.ts';
import type { ResourceKind } from './resource-kind.ts';
import { StatusError } from './status-error.ts';
import type { KubeObject, ObjectRef, ResourceType } from '../runtime/types.ts';

export function createStore(operations: Operations): EmbeddedStore {
  const { database } = operations;
  const kindOf = (type: ResourceType): ResourceKind => {
    const kind = operations.kind(type.group, type.plural);
    if (!kind) throw new StatusError(404, 'NotFound', `this server has no kind ${type.plural} in group ${JSON.stringify(type.group)}; is its definition installed?`);
    return kind;
  };
  const namespaceOf = (kind: ResourceKind, ref: { readonly namespace?: string }): string => (kind.type.namespaced ? (ref.namespace ?? 'default') : '');

  return {
    get resourceVersion() {
      return String(database.version);
    },
    get<T extends KubeObject>(type: ResourceType, ref: ObjectRef) {
      const kind = kindOf(type);
      return database.get(kind, namespaceOf(kind, ref), ref.name)?.object as T | undefined;
    },
    list<T extends KubeObject>(type: ResourceType, options: { namespace?: string } = {}) {
      return database.sorted(kindOf(type), options.namespace).map((revision) => revision.object as unknown as T);
    },
    create<T extends KubeObject>(type: ResourceType, object: T) {
      const kind = kindOf(type);
      return operations.create(kind, namespaceOf(kind, object.metadata), cloneJson(object) as unknown as JsonObject).object as unknown as T;
    },
    mutate<T extends KubeObject>(type: ResourceType, ref: ObjectRef, fn: (draft: T) => T, options: { subresource?: 'status' } = {}) {
      const kind = kindOf(type);
      const namespace = namespaceOf(kind, ref);
      const { object } = operations.need(kind, namespace, ref.name);
      const next = fn(cloneJson(object) as unknown as T) as unknown as JsonObject;
      return operations.update(kind, namespace, ref.name, next, options.subresource ?? 'object').object as unknown as T;
    },
    bindPod(ref, nodeName) {
      const kind = kindOf(podType);
      bindPod(operations, namespaceOf(kind, ref), ref.name, nodeName);
    },
    delete(type, ref, options = {}) {
      const kind = kindOf(type);
      const namespace = namespaceOf(kind, ref);
      if (!database.get(kind, namespace, ref.name)) return false;
      operations.delete(kind, namespace, ref.name, options);
      return true;
    },
    watch<T extends KubeObject>(type: ResourceType, handler: Parameters<EmbeddedStore['watch']>[1]) {
      const kind = kindOf(type);
      const view = (object: Stored): T => object as unknown as T;
      let since = Infinity;
      const stop = database.listen(kind.type, ({ type: event, before, after }) => {
        if (after.version <= since) return; // was among the present objects already
        if (event === 'ADDED') handler({ type: 'added', key: after.key, object: view(after.object) });
        else if (event === 'MODIFIED') handler({ type: 'updated', key: after.key, object: view(after.object), old: view(before!.object) });
        else handler({ type: 'deleted', key: after.key, old: view(after.object) });
      });
      database.holdDelivery(() => {
        since = database.version;
        for (const revision of database.sorted(kind)) handler({ type: 'added', key: revision.key, object: view(revision.object) });
      });
      return stop;
    },
  } as EmbeddedStore;
}

/** The binding subresource. */
export function bindPod(operations: Operations, namespace: string, name: string, nodeName: string): void {
  const kind = operations.kind('', 'pods')!;
  const { object } = operations.need(kind, namespace, name);
  const next = bound(object, nodeName, operations.timestamp());
  operations.database.put(kind, { ...next, metadata: { ...next.metadata } });
}
