/** The built-in kinds, with their rules and columns. */
import type { ResourceType } from '../runtime/types.ts';
import * as columns from './builtin-columns.ts';
import * as rules from './builtin-rules.ts';
import * as types from './builtin-types.ts';
import { definitionRules } from './custom-kinds.ts';
import { stringAt } from './json.ts';
import type { Stored } from './json.ts';
import { podRules } from './pod-rules.ts';
import { apiVersionOf, kindId } from './resource-kind.ts';
import type { ResourceKind } from './resource-kind.ts';

type Options = Partial<Omit<ResourceKind, 'type' | 'apiVersion' | 'id' | 'hasStatus' | 'custom'>>;

function kind(type: ResourceType, options: Options = {}): ResourceKind {
  const subresources = options.subresources ?? [];
  return {
    singular: type.kind.toLowerCase(),
    shortNames: [],
    categories: [],
    statusOnCreate: !subresources.includes('status'),
    generation: false,
    unconditionalUpdate: true,
    nameRule: 'subdomain',
    columns: columns.plainColumns,
    fields: {},
    rules: {},
    ...options,
    subresources,
    type,
    apiVersion: apiVersionOf(type),
    id: kindId(type),
    hasStatus: subresources.includes('status'),
    custom: false,
  };
}

function fields(...paths: string[]): Record<string, (object: Stored) => string> {
  return Object.fromEntries(paths.map((path) => [path, (object: Stored) => stringAt(object, ...path.split('.'))]));
}

export const builtinKinds: readonly ResourceKind[] = [
  kind(types.namespaces, {
    shortNames: ['ns'],
    subresources: ['status', 'finalize'],
    nameRule: 'label',
    columns: columns.namespaceColumns,
    fields: fields('status.phase'),
    rules: rules.namespaceRules,
  }),
  kind(types.pods, {
    shortNames: ['po'],
    categories: ['all'],
    subresources: ['status', 'binding', 'eviction', 'resize'],
    generation: true,
    columns: columns.podColumns,
    fields: fields('spec.nodeName', 'spec.restartPolicy', 'spec.schedulerName', 'spec.serviceAccountName', 'status.phase', 'status.podIP', 'status.nominatedNodeName'),
    rules: podRules,
  }),
  kind(types.nodes, {
    shortNames: ['no'],
    subresources: ['status'],
    statusOnCreate: true,
    columns: columns.nodeColumns,
    fields: { 'spec.unschedulable': (object) => String((object['spec'] as { unschedulable?: boolean } | undefined)?.unschedulable === true) },
    rules: rules.nodeRules,
  }),
  kind(types.events, {
    shortNames: ['ev'],
    columns: columns.eventColumns,
    fields: {
      ...fields('reason', 'type', 'reportingComponent', ...['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'].map((f) => `involvedObject.${f}`)),
      source: (object) => stringAt(object, 'source', 'component') || stringAt(object, 'reportingComponent'),
    },
    rules: rules.eventRules,
  }),
  kind(types.configMaps, { shortNames: ['cm'], columns: columns.configMapColumns }),
  kind(types.secrets, { columns: columns.secretColumns, fields: fields('type'), rules: rules.secretRules }),
  kind(types.services, { shortNames: ['svc'], categories: ['all'], subresources: ['status'], nameRule: 'label', columns: columns.serviceColumns }),
  kind(types.serviceAccounts, { shortNames: ['sa'] }),
  kind(types.leases, { columns: columns.leaseColumns, unconditionalUpdate: false, rules: rules.leaseRules }),
  kind(types.podDisruptionBudgets, {
    shortNames: ['pdb'],
    subresources: ['status'],
    generation: true,
    unconditionalUpdate: false,
    columns: columns.budgetColumns,
    rules: rules.budgetRules,
  }),
  kind(types.priorityClasses, { generation: true, shortNames: ['pc'], columns: columns.priorityClassColumns, rules: rules.priorityClassRules }),
  kind(types.customResourceDefinitions, {
    shortNames: ['crd', 'crds'],
    categories: ['api-extensions'],
    subresources: ['status'],
    generation: true,
    unconditionalUpdate: false,
    columns: columns.definitionColumns,
    rules: definitionRules,
  }),
];
