/** The HTTP side: reads requests, calls the operations, writes answers. Listens on loopback only and, unless told otherwise, allows everybody everything. */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parse as parseYaml } from 'yaml';
import type { EmbeddedControlPlaneOptions, Tuning } from '../api.ts';
import type { DisruptionController } from '../disruption.ts';
import { bindPod } from '../embedded-store.ts';
import type { FaultInjector, Verdict } from '../fault-injector.ts';
import { asObject, isObject, stringAt } from '../json.ts';
import type { JsonObject } from '../json.ts';
import type { DeleteRequest, Operations } from '../operations.ts';
import type { WriteTarget } from '../resource-kind.ts';
import { badRequest, expired, forbidden, invalidListOption, StatusError } from '../status-error.ts';
import { discovery, discoveryContentType, versionInfo } from './discovery.ts';
import { filterOf } from './filter.ts';
import { ListReader } from './list.ts';
import { openapi } from './openapi.ts';
import { acceptedForm, includedObject, metadataOf, tableOf } from './representation.ts';
import { contentType, parseJson, parseObject, readBody, toObject } from './request-body.ts';
import { isTrue, numberParameter, readRequest } from './request-info.ts';
import type { ResourceRequest } from './request-info.ts';
import { endWithError, WatchStream } from './watch-stream.ts';
import type { WatchHost } from './watch-stream.ts';

const LIST_SLICE_BYTES = 256 * 1024;

export interface ApiServerParts {
  readonly name: string;
  readonly operations: Operations;
  readonly disruption: DisruptionController;
  readonly faults: FaultInjector;
  readonly tuning: Tuning;
  readonly log: (message: string) => void;
  readonly authorize?: EmbeddedControlPlaneOptions['authorize'];
}

export class ApiServer {
  private readonly parts: ApiServerParts;
  private readonly server: Server;
  private readonly lists: ListReader;
  private readonly host: WatchHost;
  private readonly unflushed = new Set<WatchStream>();

  constructor(parts: ApiServerParts) {
    this.parts = parts;
    this.lists = new ListReader(parts.operations);
    this.host = {
      database: parts.operations.database,
      clock: parts.operations.clock,
      streams: parts.faults.streams,
      flushSoon: (stream) => this.flushSoon(stream),
      isFrozen: (response) => parts.faults.isFrozen(response.socket),
      log: parts.log,
    };
    this.server = createServer({ keepAliveTimeout: 90_000, requestTimeout: 0 }, (request, response) => void this.handle(request, response));
    this.server.on('connection', (socket) => parts.faults.accept(socket));
    this.server.on('clientError', (_error, socket) => socket.destroy());
  }

  /** Resolves to the port; rejects with an error that names the port if it is taken. */
  listen(port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.server.once('error', (error: NodeJS.ErrnoException) => {
        reject(error.code === 'EADDRINUSE' ? new Error(`control plane ${this.parts.name}: port ${port} on 127.0.0.1 is in use; choose another port or stop the process that has it`, { cause: error }) : error);
      });
      this.server.listen(port, '127.0.0.1', () => resolve((this.server.address() as AddressInfo).port));
    });
  }

  async close(): Promise<void> {
    for (const stream of [...this.parts.faults.streams]) stream.end();
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    this.server.closeAllConnections();
    await closed;
  }

  private flushSoon(stream: WatchStream): void {
    if (this.unflushed.size === 0) {
      setImmediate(() => {
        const streams = [...this.unflushed];
        this.unflushed.clear();
        for (const one of streams) one.flush();
      });
    }
    this.unflushed.add(stream);
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const body = await readBody(request);
      if (this.parts.faults.isFrozen(request.socket)) return;
      checkHost(request);
      const [path, search = ''] = splitUrl(request.url ?? '/');
      const query = new URLSearchParams(search);
      const info = readRequest(this.parts.operations, request.method ?? 'GET', path, query);
      if (!info) return this.answerOther(request, response, path);
      this.authorize(info, request);
      const verdict = this.parts.faults.judge(info);
      if (verdict.delayMs > 0) await this.wait(verdict.delayMs);
      if (verdict.drop === 'before') return void request.socket.destroy();
      if (verdict.error && !verdict.asEvent) throw verdict.error;
      this.dispatch(info, request, response, body, verdict);
    } catch (error) {
      this.answerError(response, error);
    }
  }

  private authorize({ verb, kind: { type }, subresource, namespace, name }: ResourceRequest, { headers }: IncomingMessage): void {
    const { authorize } = this.parts;
    const token = /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1];
    if (!authorize || authorize({ verb, group: type.group, plural: type.plural, subresource, namespace, name }, token)) return;
    throw forbidden(type, name, `User "${token ?? 'anonymous'}" cannot ${verb} resource "${type.plural}${subresource && `/${subresource}`}" in API group "${type.group}"`);
  }

  private wait(ms: number): Promise<void> {
    return new Promise((resolve) => this.parts.operations.clock.after(ms, resolve));
  }

  private dispatch(info: ResourceRequest, request: IncomingMessage, response: ServerResponse, body: Buffer, verdict: Verdict): void {
    if (info.verb === 'watch') return this.watch(info, request, response, verdict);
    if (info.verb === 'list') return this.list(info, request, response);
    const [code, json] = this.perform(info, request, body);
    if (verdict.drop === 'after') return void request.socket.destroy();
    this.send(response, code, json);
  }

  /** Executes everything but lists and watches; gives the HTTP code and the JSON to answer. */
  private perform(info: ResourceRequest, request: IncomingMessage, body: Buffer): [number, string] {
    const { operations, disruption } = this.parts;
    const { kind, namespace, name, subresource, query } = info;
    const options = { dryRun: query.getAll('dryRun').includes('All'), strict: query.get('fieldValidation') === 'Strict' };
    switch (info.verb) {
      case 'get': {
        const { object, json } = operations.need(kind, namespace, name);
        const form = acceptedForm(request.headers.accept);
        if (form === 'object') return [200, json];
        const metadata = { resourceVersion: object.metadata.resourceVersion };
        return [200, JSON.stringify(form === 'metadata' ? metadataOf(object) : tableOf(kind, [object], operations.clock.now(), includedObject(query), metadata))];
      }
      case 'create': {
        const object = parseObject(request, body);
        if (subresource === 'binding') {
          operations.need(kind, namespace, name);
          if (!options.dryRun) bindPod(operations, namespace, name, stringAt(object, 'target', 'name'));
          return [201, success()];
        }
        if (subresource === 'eviction') {
          disruption.evict(namespace, name, { ...deleteRequest(asObject(object['deleteOptions']), query), dryRun: options.dryRun });
          return [201, success()];
        }
        if (name !== '') throw new StatusError(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource');
        const own = stringAt(object, 'metadata', 'namespace');
        if (kind.type.namespaced && namespace === '') throw badRequest(`an empty namespace may not be set during creation${own === '' ? '' : ` (the object names ${own}; POST to that namespace)`}`);
        return [201, operations.create(kind, namespace, object, options).json];
      }
      case 'update':
        return [200, operations.update(kind, namespace, name, parseObject(request, body), targetOf(subresource), options).json];
      case 'patch':
        return this.patch(info, request, body, options);
      case 'delete': {
        const asked = body.length > 0 ? parseObject(request, body) : {};
        const { object, gone } = operations.delete(kind, namespace, name, { ...deleteRequest(asked, query), dryRun: options.dryRun });
        const details = { name, ...(kind.type.group === '' ? {} : { group: kind.type.group }), kind: kind.type.plural, uid: object.metadata.uid };
        // As the real server: a Pod is answered itself.
        return [200, gone && kind.id !== 'pods' ? success(details) : JSON.stringify(object)];
      }
      case 'deletecollection':
        return this.deleteCollection(info, body.length > 0 ? parseObject(request, body) : {}, options.dryRun);
      default:
        throw badRequest(`unexpected verb ${info.verb}`);
    }
  }

  private patch({ kind, namespace, name, subresource, query }: ResourceRequest, request: IncomingMessage, body: Buffer, options: { dryRun: boolean; strict: boolean }): [number, string] {
    const { operations } = this.parts;
    const target = targetOf(subresource);
    const type = contentType(request);
    if (type === 'application/apply-patch+yaml' || type === 'application/apply-patch+json' || type === 'application/apply-patch') {
      const config = toObject(parseYaml(body.toString('utf8')));
      const force = isTrue(query.get('force'));
      const { revision, created } = operations.apply(kind, namespace, name, config, { ...options, manager: query.get('fieldManager') ?? '', force, target });
      return [created ? 201 : 200, revision.json];
    }
    const how = { 'application/merge-patch+json': 'merge', 'application/json-patch+json': 'json', 'application/strategic-merge-patch+json': 'strategic' } as const;
    const chosen = Object.hasOwn(how, type) ? how[type as keyof typeof how] : undefined;
    if (!chosen || (chosen === 'strategic' && kind.custom)) {
      throw new StatusError(415, 'UnsupportedMediaType', `the body of the request was in an unknown format - accepted media types include: ${Object.keys(how).slice(0, kind.custom ? 2 : 3).join(', ')}, application/apply-patch+yaml`);
    }
    return [200, operations.patch(kind, namespace, name, parseJson(body), chosen, target, options).json];
  }

  private deleteCollection({ kind, namespace, query }: ResourceRequest, asked: JsonObject, dryRun: boolean): [number, string] {
    const { operations } = this.parts;
    const filter = filterOf(kind, namespace, query);
    const hit = operations.database.sorted(kind, filter.namespace).filter((revision) => filter.matches(revision));
    const items = hit.map((r) => operations.delete(kind, r.namespace, r.name, { ...deleteRequest(asked, query), dryRun }).object);
    return [200, JSON.stringify({ kind: `${kind.type.kind}List`, apiVersion: kind.apiVersion, metadata: { resourceVersion: String(operations.database.version) }, items })];
  }

  private list({ kind, namespace, query }: ResourceRequest, request: IncomingMessage, response: ServerResponse): void {
    const filter = filterOf(kind, namespace, query);
    const page = this.lists.read(kind, filter, query);
    const metadata = {
      resourceVersion: String(page.version),
      ...(page.continueToken === undefined ? {} : { continue: page.continueToken }),
      ...(page.remaining === undefined ? {} : { remainingItemCount: page.remaining }),
    };
    const form = acceptedForm(request.headers.accept);
    if (form === 'table') {
      const now = this.parts.operations.clock.now();
      return this.send(response, 200, JSON.stringify(tableOf(kind, page.revisions.map((r) => r.object), now, includedObject(query), metadata)));
    }
    if (form === 'metadata') {
      const items = page.revisions.map((revision) => metadataOf(revision.object));
      return this.send(response, 200, JSON.stringify({ kind: 'PartialObjectMetadataList', apiVersion: 'meta.k8s.io/v1', metadata, items }));
    }
    const head = `{"kind":"${kind.type.kind}List","apiVersion":"${kind.apiVersion}","metadata":${JSON.stringify(metadata)},"items":[`;
    const total = page.revisions.reduce((sum, revision) => sum + revision.json.length + 1, 0);
    if (total < LIST_SLICE_BYTES) return this.send(response, 200, `${head}${page.revisions.map((r) => r.json).join(',')}]}`);
    // A long list goes out in slices: one string of it might not even fit.
    if (this.parts.faults.isFrozen(response.socket)) return;
    response.writeHead(200, { 'content-type': 'application/json' });
    let slice = head;
    page.revisions.forEach((revision, i) => {
      slice += i === 0 ? revision.json : `,${revision.json}`;
      if (slice.length < LIST_SLICE_BYTES) return;
      response.write(slice);
      slice = '';
    });
    response.end(`${slice}]}`);
  }

  private watch({ kind, namespace, query }: ResourceRequest, request: IncomingMessage, response: ServerResponse, verdict: Verdict): void {
    if (verdict.error) return endWithError(response, verdict.error);
    const { operations, tuning } = this.parts;
    const filter = filterOf(kind, namespace, query);
    const asked = query.get('resourceVersion') ?? '';
    if (!/^\d{0,15}$/.test(asked)) throw badRequest(`invalid resource version ${JSON.stringify(asked)}`);
    const initial = isTrue(query.get('sendInitialEvents'));
    if (initial && query.get('resourceVersionMatch') !== 'NotOlderThan') throw invalidListOption('resourceVersionMatch', 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan');
    const since = initial || asked === '' || asked === '0' ? undefined : Number(asked);
    const { version, oldestVersion } = operations.database;
    if (since !== undefined && (since < oldestVersion || since > version)) {
      return endWithError(response, expired(`too old resource version: ${since} (${since > version ? version : oldestVersion})`));
    }
    const seconds = numberParameter(query, 'timeoutSeconds') ?? 3600;
    new WatchStream(this.host, response, {
      kind,
      filter,
      form: acceptedForm(request.headers.accept),
      include: includedObject(query),
      since,
      initialEventsEnd: initial,
      bookmarks: isTrue(query.get('allowWatchBookmarks')),
      timeoutMs: (seconds || 3600) * 1000,
      bookmarkMs: tuning.bookmarkMs,
      bufferBytes: tuning.watchBufferBytes,
    }).start();
  }

  private answerOther(request: IncomingMessage, response: ServerResponse, path: string): void {
    const kinds = this.parts.operations.allKinds();
    if (path === '/version') return this.send(response, 200, JSON.stringify(versionInfo()));
    if (/^\/(healthz|readyz|livez)(\/.*)?$/.test(path)) return this.send(response, 200, 'ok', 'text/plain');
    const trimmed = path.length > 1 ? path.replace(/\/$/, '') : path;
    const found = discovery(trimmed, request.headers.accept, kinds);
    if (found) return this.send(response, 200, JSON.stringify(found), discoveryContentType(found));
    const document = openapi(trimmed, kinds);
    if (document) return this.send(response, 200, JSON.stringify(document));
    throw new StatusError(404, 'NotFound', 'the server could not find the requested resource');
  }

  private answerError(response: ServerResponse, error: unknown): void {
    if (response.headersSent || response.destroyed) return void response.destroy();
    let status = error;
    if (!(status instanceof StatusError)) {
      const message = error instanceof Error ? error.message : String(error);
      this.parts.log(`request failed: ${error instanceof Error ? (error.stack ?? message) : message}`);
      status = new StatusError(500, 'InternalError', `Internal error occurred: ${message}`);
    }
    const known = status as StatusError;
    const retryAfter = known.details?.retryAfterSeconds ?? (known.code === 429 ? 10 : undefined);
    if (retryAfter !== undefined) response.setHeader('retry-after', String(retryAfter));
    this.send(response, known.code, JSON.stringify(known.toStatus()));
  }

  private send(response: ServerResponse, code: number, text: string, type = 'application/json'): void {
    if (this.parts.faults.isFrozen(response.socket)) return;
    response.writeHead(code, { 'content-type': type, 'content-length': Buffer.byteLength(text) });
    response.end(text);
  }
}

function targetOf(subresource: string): WriteTarget {
  if (subresource === 'status' || subresource === 'resize') return subresource;
  if (subresource === '' || subresource === 'finalize') return 'object';
  throw new StatusError(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource');
}

function deleteRequest(body: JsonObject, query: URLSearchParams): DeleteRequest {
  const grace = body['gracePeriodSeconds'] ?? numberParameter(query, 'gracePeriodSeconds');
  const policy = body['propagationPolicy'] ?? query.get('propagationPolicy') ?? (body['orphanDependents'] === true ? 'Orphan' : undefined);
  if (policy !== undefined && !['Foreground', 'Background', 'Orphan'].includes(String(policy))) throw badRequest(`propagationPolicy ${JSON.stringify(policy)} is not Foreground, Background or Orphan`);
  const preconditions = isObject(body['preconditions']) ? (body['preconditions'] as NonNullable<DeleteRequest['preconditions']>) : undefined;
  return {
    ...(typeof grace === 'number' ? { gracePeriodSeconds: grace } : {}),
    ...(policy === undefined ? {} : { propagationPolicy: policy as NonNullable<DeleteRequest['propagationPolicy']> }),
    ...(preconditions ? { preconditions } : {}),
  };
}

function success(details?: object): string {
  return JSON.stringify({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', ...(details ? { details } : {}) });
}

/** A page in a browser must not reach the server under a name of its own. */
function checkHost(request: IncomingMessage): void {
  const host = (request.headers.host ?? '').replace(/:\d+$/, '');
  if (!['127.0.0.1', 'localhost', '[::1]', ''].includes(host)) throw new StatusError(403, 'Forbidden', `this server answers only on loopback, not as ${host}`);
}

function splitUrl(url: string): [string, string?] {
  const mark = url.indexOf('?');
  return mark < 0 ? [url] : [url.slice(0, mark), url.slice(mark + 1)];
}
