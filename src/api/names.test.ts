import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { availableCapacityName, capacityRequestName, labelValue, machineObjectName, upcomingNodeName } from './names.ts';

const hash8 = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 8);

describe('Machine objects', () => {
  test.each(['m-1', 'a', '0', 'x'.repeat(63)])('%s keeps its id', (id) => {
    expect(machineObjectName(id)).toBe(id);
  });

  test.each([
    ['', ''],
    ['M-1', 'm-1-'],
    ['aws:///eu-west-1a/i-0abc', 'aws-eu-west-1a-i-0abc-'],
    ['node.a', 'node-a-'], // a dot is no part of a label
    ['-edge-', 'edge-'],
    ['日本', ''],
    ['x'.repeat(64), `${'x'.repeat(40)}-`],
    [`${'y'.repeat(39)}/${'z'.repeat(30)}`, `${'y'.repeat(39)}-`],
  ])('%j is named readably and by its hash', (id, readable) => {
    expect(machineObjectName(id)).toBe(readable + hash8(id));
  });
});

test('upcoming nodes keep every id that an object name may hold', () => {
  expect(upcomingNodeName('m-1')).toBe('un-m-1');
  expect(upcomingNodeName('node.a')).toBe('un-node.a');
  expect(upcomingNodeName('Node_A')).toBe(`un-node-a-${hash8('Node_A')}`);
  expect(upcomingNodeName('x'.repeat(250))).toBe(`un-${'x'.repeat(250)}`);
  expect(upcomingNodeName('x'.repeat(251))).toBe(`un-${'x'.repeat(40)}-${hash8('x'.repeat(251))}`);
});

test('a Pod has one request', () => {
  expect(capacityRequestName('0b5f9c1e-7d1c-4c0e-9f6e-0a1b2c3d4e5f')).toBe('cr-pod-0b5f9c1e-7d1c-4c0e-9f6e-0a1b2c3d4e5f');
});

test('available capacity is named by the hash of its key', () => {
  expect(availableCapacityName('available:p=0|ipb=0|rpb=0|reqs=|spr=')).toBe(
    `ac-${createHash('sha256').update('available:p=0|ipb=0|rpb=0|reqs=|spr=').digest().subarray(0, 16).toString('hex')}`,
  );
});

describe('always', () => {
  const id = fc.string({ unit: 'binary', maxLength: 80 });
  const dnsLabel = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
  const dnsSubdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

  test('names are what the API server takes', () => {
    fc.assert(
      fc.property(id, (text) => {
        expect(machineObjectName(text)).toMatch(dnsLabel);
        expect(machineObjectName(text).length).toBeLessThanOrEqual(63);
        expect(upcomingNodeName(text)).toMatch(dnsSubdomain);
        expect(capacityRequestName(text)).toMatch(dnsSubdomain);
        expect(labelValue(text)).toMatch(/^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/);
      }),
    );
  });

  test('different ids have different names', () => {
    const similar = fc.string({ unit: fc.constantFrom('a', 'A', '-', '.', '/', 'é'), minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(similar, similar, (a, b) => {
        fc.pre(a !== b);
        expect(machineObjectName(a)).not.toBe(machineObjectName(b));
        expect(upcomingNodeName(a)).not.toBe(upcomingNodeName(b));
        expect(labelValue(a)).not.toBe(labelValue(b));
      }),
    );
  });
});

test('label values stay as they are where they can', () => {
  expect(labelValue('')).toBe('');
  expect(labelValue('a3-highgpu-8g')).toBe('a3-highgpu-8g');
  expect(labelValue('Standard_D2s.v3')).toBe('Standard_D2s.v3');
  expect(labelValue('cluster/eu')).toBe(`cluster-eu-${hash8('cluster/eu')}`);
});
