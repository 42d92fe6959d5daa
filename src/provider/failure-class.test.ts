import { expect, it } from 'vitest';
import { GrpcCode } from '../api/grpc.ts';
import { failureClass } from './failure-class.ts';

it.each([
  ['[OutOfStock] no c8 in zone-a', undefined, 'OutOfStock'],
  ['Create failed: [Quota] 512 of 512 cpus', undefined, 'Quota'],
  ['[Throttled] slow down', GrpcCode.INVALID_ARGUMENT, 'Throttled'],
  ['[Invalid] user data too long', GrpcCode.INTERNAL, 'Invalid'],
  ['user data too long', GrpcCode.INVALID_ARGUMENT, 'Invalid'],
  ['quota exceeded, out of stock, throttled', GrpcCode.RESOURCE_EXHAUSTED, 'Unknown'],
  ['OutOfStock', undefined, 'Unknown'],
  ['[outofstock]', undefined, 'Unknown'],
  ['', undefined, 'Unknown'],
] as const)('%j with status %s is %s', (words, code, expected) => {
  expect(failureClass(words, code)).toBe(expected);
});
