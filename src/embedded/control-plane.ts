import { randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { parseAllDocuments } from 'yaml';
import type { EmbeddedControlPlane, EmbeddedControlPlaneOptions, Tuning } from './api.ts';
import { customResourceDefinitions, namespaces } from './builtin-types.ts';
import { Collector } from './collector.ts';
import { Database } from './database.ts';
import { DisruptionController } from './disruption.ts';
import { createStore } from './embedded-store.ts';
import { FaultInjector } from './fault-injector.ts';
import { ApiServer } from './http/api-server.ts';
import { Journal } from './journal.ts';
import type { JournalEntry } from './journal.ts';
import { isObject, stringAt } from './json.ts';
import type { JsonObject, Stored } from './json.ts';
import { Operations } from './operations.ts';
import { kindId } from './resource-kind.ts';

const defaultTuning: Tuning = {
  historyEvents: 20_000,
  historyBytes: 64 * 1024 * 1024,
  watchBufferBytes: 8 * 1024 * 1024,
  bookmarkMs: 30_000,
  compactBytes: 16 * 1024 * 1024,
};

const firstNamespaces = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];
const definitionsId = kindId(customResourceDefinitions);

/**
 * Starts an API server on loopback, with the given definitions installed. Rejects with an error that names the port if it
 * is in use, the definition file that is unusable, or the file and line of a data directory that cannot be read.
 */
export async function startEmbeddedControlPlane(options: EmbeddedControlPlaneOptions): Promise<EmbeddedControlPlane> {
  const { name, clock } = options;
  const log = options.log ?? (() => undefined);
  const tuning: Tuning = { ...defaultTuning, ...options.tuning };
  const restored = new Map<string, JournalEntry & { object: string }>();
  const journal = options.dataDir === undefined ? undefined : Journal.open(options.dataDir, (entry) => collectEntry(restored, entry));
  try {
    const onListenerError = (error: unknown): void => log(`a listener of changes failed: ${error instanceof Error ? error.stack : String(error)}`);
    const database = new Database({ events: tuning.historyEvents, bytes: tuning.historyBytes }, onListenerError, journal);
    const operations = new Operations(database, clock, options.ids ?? { uid: randomUUID, suffix: randomSuffix });
    if (journal) restoreObjects(operations, restored, journal.version);
    restored.clear();
    let closed = false;
    const defer = (task: () => void): void => void setImmediate(() => (closed ? undefined : guarded(task, log)));
    const collector = new Collector(operations, defer);
    const disruption = new DisruptionController(operations, defer);
    if (journal) database.listen(undefined, () => compactIfDue(journal, database, tuning.compactBytes, log));
    collector.start();
    disruption.markAll();
    for (const namespace of firstNamespaces) {
      if (!database.get({ id: 'namespaces' }, '', namespace)) operations.create(operations.kind('', namespaces.plural)!, '', { metadata: { name: namespace } });
    }
    for (const path of options.crds) installDefinitions(operations, path);

    const faults = new FaultInjector();
    const server = new ApiServer({ name, operations, disruption, faults, tuning, log, ...(options.authorize && { authorize: options.authorize }) });
    const port = await server.listen(options.port ?? 0);
    const url = `http://127.0.0.1:${port}`;
    return {
      name,
      url,
      port,
      store: createStore(operations),
      faults,
      writeKubeconfig: (path, namespace) => writeFile(path, kubeconfig(name, url, namespace), { mode: 0o600 }),
      async close() {
        if (closed) return;
        closed = true;
        await server.close();
        await journal?.close();
      },
    };
  } catch (error) {
    await journal?.close();
    throw error;
  }
}

function collectEntry(restored: Map<string, JournalEntry & { object: string }>, entry: JournalEntry): void {
  if ('removed' in entry) restored.delete(`${entry.kind} ${entry.removed}`);
  else {
    const { namespace, name } = (entry.parsed as Stored).metadata;
    restored.set(`${entry.kind} ${namespace ? `${namespace}/` : ''}${name}`, entry);
  }
}

/** Definitions first, so that the kinds of the other objects are known. */
function restoreObjects(operations: Operations, restored: Map<string, JournalEntry & { object: string }>, version: number): void {
  const entries = [...restored.values()].sort((a, b) => Number(b.kind === definitionsId) - Number(a.kind === definitionsId));
  const kinds = (): Map<string, ReturnType<Operations['allKinds']>[number]> => new Map(operations.allKinds().map((kind) => [kind.id, kind]));
  let known = kinds();
  for (const entry of entries) {
    if (!('parsed' in entry)) continue;
    const object = entry.parsed as Stored;
    let kind = known.get(entry.kind);
    if (!kind) {
      known = kinds();
      kind = known.get(entry.kind);
    }
    if (!kind) throw new Error(`the data directory holds a ${entry.kind} ${object.metadata.name}, but not the definition of its kind; remove the directory to start afresh`);
    operations.database.restore(kind, object, entry.object);
    if (entry.kind === definitionsId) operations.register(object);
  }
  operations.database.resumeAt(version);
}

function installDefinitions(operations: Operations, path: string): void {
  try {
    for (const document of parseAllDocuments(readFileSync(path, 'utf8'))) {
      const definition: unknown = document.toJS();
      if (document.errors[0]) throw document.errors[0];
      if (definition === null || definition === undefined) continue;
      if (!isObject(definition) || definition['kind'] !== 'CustomResourceDefinition') throw new Error('not a CustomResourceDefinition');
      installDefinition(operations, definition);
    }
  } catch (error) {
    throw new Error(`definition file ${path}: ${(error as Error).message}`, { cause: error });
  }
}

function installDefinition(operations: Operations, definition: JsonObject): void {
  const kind = operations.kind(customResourceDefinitions.group, customResourceDefinitions.plural)!;
  const name = stringAt(definition, 'metadata', 'name');
  const present = operations.database.get(kind, '', name);
  if (!present) operations.create(kind, '', definition);
  else operations.update(kind, '', name, { ...present.object, spec: definition['spec'] });
}

function compactIfDue(journal: Journal, database: Database, minimum: number, log: (message: string) => void): void {
  if (!journal.wantsCompaction(minimum)) return;
  journal.compact(database.version, database.everything()).catch((error: unknown) => {
    log(`the data directory could not be compacted and keeps growing: ${error instanceof Error ? error.message : String(error)}`);
  });
}

function guarded(task: () => void, log: (message: string) => void): void {
  try {
    task();
  } catch (error) {
    log(`background task failed: ${error instanceof Error ? error.stack : String(error)}`);
  }
}

function randomSuffix(): string {
  const alphabet = 'bcdfghjklmnpqrstvwxz2456789';
  return [...randomBytes(5)].map((byte) => alphabet[byte % alphabet.length]).join('');
}

function kubeconfig(name: string, url: string, namespace = 'default'): string {
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server: url } }],
    users: [{ name, user: {} }],
    contexts: [{ name, context: { cluster: name, user: name, namespace } }],
    'current-context': name,
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}
