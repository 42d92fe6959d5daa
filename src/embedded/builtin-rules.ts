/** Defaults and validation of the built-in kinds other than Pods. */
import { asObject, at, equalJson, stringAt } from './json.ts';
import { checkQuantities } from './quantities.ts';
import type { KindRules } from './resource-kind.ts';
import { badRequest, invalid } from './status-error.ts';
import type { FieldError } from './status-error.ts';
import { priorityClasses } from './builtin-types.ts';

export const namespaceRules: KindRules = {
  onCreate(namespace) {
    namespace.metadata.labels = { ...namespace.metadata.labels, 'kubernetes.io/metadata.name': namespace.metadata.name };
    namespace['spec'] = { finalizers: ['kubernetes'] };
    namespace['status'] = { phase: 'Active' };
    return namespace;
  },
};

export const nodeRules: KindRules = {
  onCreate(node) {
    node['spec'] ??= {};
    node['status'] ??= {};
    checkNodeQuantities(node);
    return node;
  },
  onUpdate(next) {
    checkNodeQuantities(next);
    return next;
  },
};

function checkNodeQuantities(node: unknown): void {
  checkQuantities(at(node, 'status', 'capacity'), 'status.capacity');
  checkQuantities(at(node, 'status', 'allocatable'), 'status.allocatable');
}

const microTime = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}(Z|[+-]\d{2}:\d{2})$/;

/** The real server cannot decode a MicroTime with any other number of digits. */
function checkMicroTime(value: unknown): void {
  if (value === undefined || value === null || (typeof value === 'string' && microTime.test(value))) return;
  throw badRequest(`parsing time ${JSON.stringify(value)} as "2006-01-02T15:04:05.000000Z07:00": cannot parse; a MicroTime has six digits after the second`);
}

export const leaseRules: KindRules = {
  onCreate(lease) {
    checkLeaseTimes(lease);
    return lease;
  },
  onUpdate(next) {
    checkLeaseTimes(next);
    return next;
  },
  validate(lease) {
    const errors: FieldError[] = [];
    const duration = at(lease, 'spec', 'leaseDurationSeconds');
    if (duration !== undefined && duration !== null && !(Number(duration) > 0)) errors.push({ field: 'spec.leaseDurationSeconds', reason: 'FieldValueInvalid', message: `Invalid value: ${JSON.stringify(duration)}: must be greater than 0` });
    const transitions = at(lease, 'spec', 'leaseTransitions');
    if (transitions !== undefined && transitions !== null && !(Number(transitions) >= 0)) errors.push({ field: 'spec.leaseTransitions', reason: 'FieldValueInvalid', message: `Invalid value: ${JSON.stringify(transitions)}: must be greater than or equal to 0` });
    return errors;
  },
};

function checkLeaseTimes(lease: unknown): void {
  checkMicroTime(at(lease, 'spec', 'acquireTime'));
  checkMicroTime(at(lease, 'spec', 'renewTime'));
}

export const eventRules: KindRules = {
  onCreate(event) {
    checkMicroTime(event['eventTime']);
    return event;
  },
  validate(event, old) {
    if (old) return [];
    const errors: FieldError[] = [];
    const namespace = event.metadata.namespace ?? '';
    const involved = stringAt(event, 'involvedObject', 'namespace');
    const fits = involved === '' ? namespace === 'default' || namespace === 'kube-system' : involved === namespace;
    if (!fits) errors.push({ field: 'involvedObject.namespace', reason: 'FieldValueInvalid', message: `Invalid value: ${JSON.stringify(involved)}: does not match event.namespace` });
    if (typeof event['eventTime'] === 'string') {
      for (const field of ['reportingComponent', 'reportingInstance', 'action', 'reason']) {
        if (stringAt(event, field) === '') errors.push({ field: field === 'reportingComponent' ? 'reportingController' : field, reason: 'FieldValueRequired', message: 'Required value' });
      }
    }
    return errors;
  },
};

export const budgetRules: KindRules = {
  onCreate(budget) {
    budget['status'] = { currentHealthy: 0, desiredHealthy: 0, disruptionsAllowed: 0, expectedPods: 0 };
    return budget;
  },
  validate(budget) {
    const errors: FieldError[] = [];
    const { minAvailable, maxUnavailable } = asObject(budget['spec']);
    if (minAvailable !== undefined && maxUnavailable !== undefined) errors.push({ field: 'spec', reason: 'FieldValueInvalid', message: 'Invalid value: minAvailable and maxUnavailable cannot be both set' });
    for (const [field, value] of Object.entries({ minAvailable, maxUnavailable })) {
      const fine = value === undefined || (Number.isInteger(value) && Number(value) >= 0) || (typeof value === 'string' && /^(100|[0-9]{1,2})%$/.test(value));
      if (!fine) errors.push({ field: `spec.${field}`, reason: 'FieldValueInvalid', message: `Invalid value: ${JSON.stringify(value)}: must be a whole number from 0 on or a percentage up to 100%` });
    }
    return errors;
  },
};

export const priorityClassRules: KindRules = {
  onCreate(object) {
    object['value'] ??= 0;
    object['preemptionPolicy'] ??= 'PreemptLowerPriority';
    return object;
  },
  onUpdate(next, old) {
    if (!equalJson(next['value'], old['value'])) throw invalid(priorityClasses, old.metadata.name, [{ field: 'value', reason: 'FieldValueForbidden', message: 'Forbidden: may not be changed in an update.' }]);
    return next;
  },
  validate(object) {
    const value = object['value'];
    const fine = Number.isInteger(value) && (Number(value) <= 1_000_000_000 || object.metadata.name.startsWith('system-'));
    return fine ? [] : [{ field: 'value', reason: 'FieldValueForbidden', message: 'Forbidden: maximum allowed value of a user defined priority is 1000000000' }];
  },
};

export const secretRules: KindRules = {
  onCreate(secret) {
    const plain = asObject(secret['stringData']);
    if (secret['stringData'] !== undefined) {
      const encoded = Object.entries(plain).map(([key, value]) => [key, Buffer.from(String(value)).toString('base64')] as const);
      secret['data'] = { ...asObject(secret['data']), ...Object.fromEntries(encoded) };
      delete secret['stringData'];
    }
    secret['type'] ??= 'Opaque';
    return secret;
  },
};
