/**
 * What the verbs mean: create, update, patch, apply and delete with the rules of the API machinery (spec: design 6).
 * Everything is synchronous, so a read and the write that depends on it are one step.
 */
import type { Clock } from '../lib/clock.ts';
import { builtinKinds } from './builtin-kinds.ts';
import { customResourceDefinitions, namespaces as namespaceType, pods as podType } from './builtin-types.ts';
import { customKind } from './custom-kinds.ts';
import type { Database, Revision } from './database.ts';
import { asArray, asObject, equalJson, isObject, mergePatch, stringAt } from './json.ts';
import type { JsonObject, Meta, Stored } from './json.ts';
import { jsonPatch } from './json-patch.ts';
import { metadataErrors, nameErrors } from './metadata.ts';
import type { AdmissionContext, ResourceKind, WriteTarget } from './resource-kind.ts';
import { kindId } from './resource-kind.ts';
import { applyConfiguration } from './server-side-apply.ts';
import { alreadyExists, badRequest, conflict, forbidden, invalid, notFound, staleObject } from './status-error.ts';
import type { FieldError } from './status-error.ts';
import { strategicMerge } from './strategic-merge.ts';
import { contentChanged, finalizerErrors, replacement, sameMetadata } from './update-rules.ts';
import type { Findings } from './structural-schema.ts';
import { wellFormed } from './well-formed.ts';

export interface WriteOptions {
  readonly dryRun?: boolean;
  /** Only server-side apply brings managedFields along. */
  readonly keepManagedFields?: boolean;
  /** Strict refuses unknown fields of custom kinds instead of dropping them. */
  readonly strict?: boolean;
}

export interface DeleteRequest {
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: 'Foreground' | 'Background' | 'Orphan';
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
  readonly dryRun?: boolean;
}

export interface Deleted {
  /** The object as it was last: gone, or waiting for its finalizers or its grace period. */
  readonly object: Stored;
  readonly gone: boolean;
}

export interface Ids {
  uid(): string;
  suffix(): string;
}

const patchOptions = { group: 'meta.k8s.io', plural: 'PatchOptions', kind: 'PatchOptions' };
const protectedNamespaces = new Set(['default', 'kube-system', 'kube-public']);

export class Operations {
  readonly database: Database;
  readonly clock: Clock;
  private readonly ids: Ids;
  private readonly kinds = new Map<string, ResourceKind>();
  private readonly context: AdmissionContext;

  constructor(database: Database, clock: Clock, ids: Ids) {
    this.database = database;
    this.clock = clock;
    this.ids = ids;
    for (const kind of builtinKinds) this.kinds.set(kind.id, kind);
    this.context = {
      get now() {
        return clock.now();
      },
      lookup: (group, plural) => [...database.values({ id: kindId({ group, plural }) })].map((revision) => revision.object),
    };
  }

  /** Kinds that are served, built-in ones first. */
  allKinds(): ResourceKind[] {
    return [...this.kinds.values()];
  }

  kind(group: string, plural: string): ResourceKind | undefined {
    return this.kinds.get(kindId({ group, plural }));
  }

  /** Serves the kind of a stored definition. */
  register(definition: Stored): void {
    const kind = customKind(definition);
    this.kinds.set(kind.id, kind);
  }

  unregister(kind: ResourceKind): void {
    this.kinds.delete(kind.id);
  }

  /** RFC 3339, whole seconds, as metadata carries it. */
  timestamp(offsetSeconds = 0): string {
    return new Date(this.clock.now() + offsetSeconds * 1000).toISOString().replace(/\.\d+Z$/, 'Z');
  }

  need(kind: ResourceKind, namespace: string, name: string): Revision {
    const found = this.database.get(kind, namespace, name);
    if (!found) throw notFound(kind.type, name);
    return found;
  }

  /** `body` must be private to the caller; it becomes the stored object. */
  create(kind: ResourceKind, namespace: string, body: JsonObject, options: WriteOptions = {}): Revision {
    const given = wellFormed(kind, this.bodyFor(kind, namespace, undefined, body));
    const base = given.metadata.name || !given.metadata.generateName ? undefined : given.metadata.generateName.slice(0, 58);
    let name = given.metadata.name;
    for (let attempt = 0; base !== undefined && attempt < 16; attempt++) {
      name = base + this.ids.suffix();
      if (!this.database.get(kind, namespace, name)) break;
    }
    if (!name) throw invalid(kind.type, '', [{ field: 'metadata.name', reason: 'FieldValueRequired', message: 'Required value: name or generateName is required' }]);
    if (given.metadata.resourceVersion) throw badRequest('resourceVersion should not be set on objects to be created');
    this.checkNamespace(kind, namespace, name);

    const metadata: Meta = { ...given.metadata, name };
    if (kind.type.namespaced) metadata.namespace = namespace;
    else delete metadata.namespace;
    for (const field of ['deletionTimestamp', 'deletionGracePeriodSeconds', 'selfLink', 'resourceVersion', 'generation']) delete metadata[field];
    if (!options.keepManagedFields) delete metadata.managedFields;
    metadata.uid = this.ids.uid();
    metadata.creationTimestamp = this.timestamp();
    if (kind.generation) metadata.generation = 1;
    let object: Stored = { ...given, metadata };
    if (kind.hasStatus && !kind.statusOnCreate) delete object['status'];
    if (kind.rules.onCreate) object = kind.rules.onCreate(object, this.context);

    const errors = [...nameErrors(name, kind.nameRule), ...metadataErrors(metadata)];
    object = this.checked(kind, object, undefined, options, errors);
    if (this.database.get(kind, namespace, name)) throw alreadyExists(kind.type, name);
    return this.commit(kind, object, options);
  }

  /** Full replacement of an object, or of its status. `body` may share parts with the stored object. */
  update(kind: ResourceKind, namespace: string, name: string, body: JsonObject, target: WriteTarget = 'object', options: WriteOptions = {}): Revision {
    const given = this.bodyFor(kind, namespace, name, body);
    const old = this.need(kind, namespace, name);
    this.checkVersion(kind, old, given.metadata);
    const next = replacement(kind, old.object, given, target);
    return this.finishUpdate(kind, old, next, target, options);
  }

  patch(kind: ResourceKind, namespace: string, name: string, patch: unknown, how: 'merge' | 'json' | 'strategic', target: WriteTarget = 'object', options: WriteOptions = {}): Revision {
    const old = this.need(kind, namespace, name);
    const apply = { merge: mergePatch, json: jsonPatch, strategic: strategicMerge }[how];
    if (how !== 'json' && !isObject(patch)) throw badRequest('a merge patch is an object');
    const patched = apply(old.object, patch);
    if (!isObject(patched)) throw badRequest('the patch does not leave an object');
    return this.update(kind, namespace, name, patched, target, options);
  }

  /** Server-side apply; see server-side-apply.ts for what it leaves out. */
  apply(
    kind: ResourceKind,
    namespace: string,
    name: string,
    body: JsonObject,
    { manager, force, target = 'object', ...options }: WriteOptions & { manager: string; force: boolean; target?: WriteTarget },
  ): { revision: Revision; created: boolean } {
    if (manager === '') throw invalid(patchOptions, '', [{ field: 'fieldManager', reason: 'FieldValueRequired', message: 'Required value: is required for apply patch' }]);
    const given = wellFormed(kind, this.bodyFor(kind, namespace, name, body));
    if (asArray(given.metadata.managedFields).length > 0) throw badRequest('metadata.managedFields must be nil');
    const old = this.database.get(kind, namespace, name);
    if (!old && target !== 'object') throw notFound(kind.type, name);
    if (old) this.checkVersion(kind, old, given.metadata, false);
    // Each endpoint owns only its part of the object.
    if (target === 'status') for (const field of Object.keys(given)) if (!['apiVersion', 'kind', 'metadata', 'status'].includes(field)) delete given[field];
    if (target !== 'status' && kind.hasStatus) delete given['status'];
    const stamp = { manager, force, time: this.timestamp(), ...(target === 'status' ? { subresource: 'status' } : {}) };
    const merged = applyConfiguration(kind, old?.object, given, stamp);
    if (!old) return { revision: this.create(kind, namespace, merged, { ...options, keepManagedFields: true }), created: true };
    const next = replacement(kind, old.object, merged, target);
    if (merged.metadata.managedFields) next.metadata.managedFields = merged.metadata.managedFields;
    return { revision: this.finishUpdate(kind, old, next, target, options), created: false };
  }

  delete(kind: ResourceKind, namespace: string, name: string, request: DeleteRequest = {}): Deleted {
    const { object } = this.need(kind, namespace, name);
    const { uid, resourceVersion } = request.preconditions ?? {};
    const meta = object.metadata;
    if (uid !== undefined && uid !== meta.uid) throw conflict(kind.type, name, `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${meta.uid}`);
    if (resourceVersion !== undefined && resourceVersion !== meta.resourceVersion) throw conflict(kind.type, name, `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${meta.resourceVersion}`);
    if (kind.id === 'namespaces' && protectedNamespaces.has(name)) throw forbidden(kind.type, name, 'this namespace may not be deleted');
    if (request.dryRun) return { object, gone: false };

    const grace = this.gracePeriod(kind, object, request.gracePeriodSeconds);
    if (request.propagationPolicy === 'Orphan') this.orphanDependents(object);
    const waits = grace > 0 || (meta.finalizers?.length ?? 0) > 0 || this.hasContent(kind);
    const known = meta.deletionTimestamp !== undefined;
    const metadata: Meta = { ...meta, deletionTimestamp: this.timestamp(grace), deletionGracePeriodSeconds: grace };
    if (metadata.generation !== undefined && !known) metadata.generation++;
    const marked: Stored = { ...object, metadata };
    if (!waits) return { object: this.remove(kind, kind.id === 'pods' ? marked : object), gone: true };
    if (known && grace >= (meta.deletionGracePeriodSeconds ?? 0)) return { object, gone: false };
    if (kind.id === 'namespaces') marked['status'] = { ...asObject(object['status']), phase: 'Terminating' };
    return { object: this.database.put(kind, marked).object, gone: false };
  }

  /** Takes the object out, whatever it waits for. */
  remove(kind: ResourceKind, object: Stored): Stored {
    const removed = this.database.remove(kind, { ...object, metadata: { ...object.metadata } });
    if (removed && kind.id === kindId(customResourceDefinitions)) {
      const defined = this.kind(stringAt(object, 'spec', 'group'), stringAt(object, 'spec', 'names', 'plural'));
      if (defined?.custom) this.unregister(defined);
    }
    return removed?.object ?? object;
  }

  private bodyFor(kind: ResourceKind, namespace: string, name: string | undefined, body: JsonObject): Stored {
    if (body['apiVersion'] !== undefined && body['apiVersion'] !== kind.apiVersion) throw badRequest(`the API version in the data (${String(body['apiVersion'])}) does not match the expected API version (${kind.apiVersion})`);
    if (body['kind'] !== undefined && body['kind'] !== kind.type.kind) throw badRequest(`the kind in the data (${String(body['kind'])}) does not match the expected kind (${kind.type.kind})`);
    const metadata = body['metadata'] ?? {};
    if (!isObject(metadata)) throw badRequest('metadata must be an object');
    const ownName = metadata['name'];
    if (ownName !== undefined && typeof ownName !== 'string') throw badRequest('metadata.name must be a string');
    if (name !== undefined && ownName !== undefined && ownName !== name) throw badRequest(`the name of the object (${ownName}) does not match the name on the URL (${name})`);
    const ownNamespace = metadata['namespace'];
    if (kind.type.namespaced && ownNamespace !== undefined && ownNamespace !== '' && ownNamespace !== namespace) throw badRequest(`the namespace of the provided object does not match the namespace sent on the request`);
    const { apiVersion: _version, kind: _kind, metadata: _metadata, ...rest } = body;
    const own = Object.fromEntries(Object.entries(metadata).filter(([, value]) => value !== null)) as Meta;
    if (name !== undefined) own.name = name;
    return { apiVersion: kind.apiVersion, kind: kind.type.kind, metadata: own, ...rest };
  }

  private checkNamespace(kind: ResourceKind, namespace: string, name: string): void {
    if (!kind.type.namespaced) return;
    const found = this.database.get({ id: 'namespaces' }, '', namespace);
    if (!found) throw notFound(namespaceType, namespace);
    if (found.object.metadata.deletionTimestamp !== undefined) throw forbidden(kind.type, name, `unable to create new content in namespace ${namespace} because it is being terminated`);
  }

  private checkVersion(kind: ResourceKind, old: Revision, given: Meta, required = !kind.unconditionalUpdate): void {
    const { name, uid } = old.object.metadata;
    if (given.uid !== undefined && given.uid !== '' && given.uid !== uid) throw conflict(kind.type, name, `Precondition failed: UID in precondition: ${given.uid}, UID in object meta: ${uid}`);
    const version = given.resourceVersion;
    if (version === undefined || version === '' || version === '0') {
      if (required) throw invalid(kind.type, name, [{ field: 'metadata.resourceVersion', reason: 'FieldValueInvalid', message: 'Invalid value: 0: must be specified for an update' }]);
    } else if (version !== old.object.metadata.resourceVersion) throw conflict(kind.type, name, staleObject);
  }

  private finishUpdate(kind: ResourceKind, old: Revision, replacement: Stored, target: WriteTarget, options: WriteOptions): Revision {
    let next = wellFormed(kind, replacement, old.object);
    if (kind.rules.onUpdate) next = kind.rules.onUpdate(next, old.object, target, this.context);
    const errors = sameMetadata(next.metadata, old.object.metadata) ? [] : metadataErrors(next.metadata);
    errors.push(...finalizerErrors(next.metadata, old.object.metadata));
    next = this.checked(kind, next, old.object, options, errors);
    if (equalJson(next, old.object)) return old;
    if (kind.generation && target !== 'status' && contentChanged(kind, next, old.object)) {
      next.metadata.generation = (old.object.metadata.generation ?? 0) + 1;
    }
    const finished = next.metadata.deletionTimestamp !== undefined && !next.metadata.finalizers?.length && !(next.metadata.deletionGracePeriodSeconds ?? 0) && !this.hasContent(kind);
    if (finished && !options.dryRun) {
      const last = this.remove(kind, next);
      return { ...old, object: last, json: JSON.stringify(last) };
    }
    return this.commit(kind, next, options);
  }

  /** Prunes, defaults and validates; throws Invalid with all findings. */
  private checked(kind: ResourceKind, object: Stored, old: Stored | undefined, options: WriteOptions, errors: FieldError[]): Stored {
    const findings: Findings = { errors, pruned: [] };
    const result = kind.schema ? (kind.schema(object, old, '', findings) as Stored) : object;
    if (options.strict && findings.pruned.length > 0) throw badRequest(`${kind.type.kind} in version "${kind.type.version}" cannot be handled as a ${kind.type.kind}: strict decoding error: ${findings.pruned.map((field) => `unknown field ${JSON.stringify(field)}`).join(', ')}`);
    if (kind.rules.validate) errors.push(...kind.rules.validate(result, old));
    if (errors.length > 0) throw invalid(kind.type, object.metadata.name, errors.toSorted((a, b) => (a.field < b.field ? -1 : a.field > b.field ? 1 : 0)));
    return result;
  }

  private commit(kind: ResourceKind, object: Stored, options: WriteOptions): Revision {
    if (options.dryRun) {
      const { namespace = '', name } = object.metadata;
      return { kind, object, namespace, name, key: name, version: this.database.version, json: JSON.stringify(object) };
    }
    const revision = this.database.put(kind, object);
    if (kind.id === kindId(customResourceDefinitions)) this.register(revision.object);
    return revision;
  }

  private gracePeriod(kind: ResourceKind, object: Stored, asked: number | undefined): number {
    if (kind.id !== podType.plural) return 0;
    const phase = stringAt(object, 'status', 'phase');
    if (stringAt(object, 'spec', 'nodeName') === '' || phase === 'Succeeded' || phase === 'Failed') return 0;
    const grace = asked ?? Number(asObject(object['spec'])['terminationGracePeriodSeconds'] ?? 30);
    const present = object.metadata.deletionGracePeriodSeconds;
    return Math.max(0, present === undefined ? grace : Math.min(grace, present));
  }

  /** Namespaces and definitions go only when what is in them has gone; the collector sees to that. */
  private hasContent(kind: ResourceKind): boolean {
    return kind.id === 'namespaces' || kind.id === kindId(customResourceDefinitions);
  }

  private orphanDependents(owner: Stored): void {
    for (const { kind, object } of [...this.database.everything()]) {
      const owners = object.metadata.ownerReferences;
      if (!owners?.some(({ uid }) => uid === owner.metadata.uid)) continue;
      const metadata: Meta = { ...object.metadata, ownerReferences: owners.filter(({ uid }) => uid !== owner.metadata.uid) };
      this.database.put(kind, { ...object, metadata });
    }
  }
}
