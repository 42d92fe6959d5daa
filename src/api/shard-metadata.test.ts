import { describe, expect, test } from 'vitest';
import { decodeShardMetadata, encodeShardMetadata } from './shard-metadata.ts';

const key = (name: string) => `bigfleet.lucy.sh/assigned-${name}`;

test('what is written has the keys and spellings that others read', () => {
  const written = encodeShardMetadata({ priority: -7, interruptionBucket: 27, reclamationBucket: 2, needFingerprint: 'p=-7|…', group: '' });
  expect(Object.fromEntries(written)).toEqual({
    [key('priority')]: '-7',
    [key('interruption-penalty-dollars')]: '+Inf',
    [key('reclamation-penalty-dollars')]: '0.5',
    [key('need-fingerprint')]: 'p=-7|…',
    [key('group')]: '',
  });
});

test('every bucket comes back, an unspecified one as $0', () => {
  for (let bucket = 0; bucket <= 27; bucket++) {
    const written = { priority: bucket, interruptionBucket: bucket, reclamationBucket: 27 - bucket, needFingerprint: 'f', group: 'g\0h' };
    expect(decodeShardMetadata(encodeShardMetadata(written))).toEqual({
      ...written,
      interruptionBucket: Math.max(1, bucket),
      reclamationBucket: Math.max(1, 27 - bucket),
      problems: [],
    });
  }
});

describe('dollars', () => {
  test.each([
    ['8.388608e+06', 26], ['1.048576e+06', 23], ['524288', 22], ['0', 1], ['0.5', 2], ['+Inf', 27], ['Inf', 27], ['inf', 27], ['Infinity', 27], ['1e300', 27], ['1e-3', 2], ['.25', 2],
  ])('%s is read as bucket %d', (text, bucket) => {
    expect(decodeShardMetadata(new Map([[key('interruption-penalty-dollars'), text]]))).toEqual({ interruptionBucket: bucket, problems: [] });
  });

  test.each(['', 'NaN', '-1', '-Inf', '0x10', '1_000', ' 1', '1e', '$5'])('%j is skipped and named', (text) => {
    const decoded = decodeShardMetadata(new Map([[key('reclamation-penalty-dollars'), text], [key('priority'), '3']]));
    expect(decoded).toEqual({ priority: 3, problems: [expect.stringContaining(key('reclamation-penalty-dollars'))] });
  });
});

test.each(['2147483648', '-2147483649', '1.0', '1e3', '', 'high'])('priority %j is skipped and named', (text) => {
  expect(decodeShardMetadata(new Map([[key('priority'), text]]))).toEqual({ problems: [expect.stringContaining(key('priority'))] });
});

test('unknown keys and absent ones leave no trace', () => {
  expect(decodeShardMetadata(new Map([['other', 'x'], [key('group'), '']]))).toEqual({ group: '', problems: [] });
  expect(decodeShardMetadata(new Map([[key('priority'), '2147483647']]))).toEqual({ priority: 2147483647, problems: [] });
});
