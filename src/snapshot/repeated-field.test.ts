import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { refuseRepeatedFields } from './repeated-field.ts';

describe('a field that is written twice in one object', () => {
  it.each([
    ['{"a": 1, "a": 2}', 'a'],
    ['{"a": {"b": 1}, "c": [0, {"x": {}, "x": []}]}', 'c[1].x'],
    ['[[], [{"a": 1}, {"a": 1, "b": "a", "a": 1}]]', '[1][1].a'],
    ['{"a": {"a": [{"a": 1}]}, "b": 1,\n\t"b" : 2}', 'b'],
    ['{"\\u0061": 1, "a": 2}', 'a'],
    ['{"a\\"b": 1, "a\\"b": 2}', '["a\\"b"]'],
    ['{"\\\\": 1, "\\\\": 2}', '["\\\\"]'],
    ['{"__proto__": 1, "__proto__": 2}', '__proto__'],
    ['{"": 1, "": 2}', '[""]'],
  ])('is refused by its path: %s', (json, path) => {
    expect(() => refuseRepeatedFields(json)).toThrow(expect.objectContaining({ name: 'SnapshotError', path, message: `${path}: is written twice in one object; keep one of them` }));
  });

  it.each(['1', '"a"', '[]', '["a", "a"]', '{"a": "a", "b": ["a", "b", {"a": "b"}]}', '[{"a": 1}, {"a": 1}]', '{"a": "\\"a\\": 1, \\"a\\": 2"}', '{"a": "{", "b": "[", "c": "\\\\"}'])('is not found where there is none: %s', (json) => {
    expect(() => refuseRepeatedFields(json)).not.toThrow();
  });

  it('is found wherever it is, whatever the names are', () => {
    const json = fc.json({ maxDepth: 4, stringUnit: 'binary' });
    fc.assert(
      fc.property(json, fc.string(), json, json, (value, name, one, other) => {
        expect(() => refuseRepeatedFields(value)).not.toThrow();
        const key = JSON.stringify(name);
        expect(() => refuseRepeatedFields(`[${value}, {${key}: ${one}, ${key}: ${other}}]`)).toThrow(expect.objectContaining({ message: expect.stringContaining('is written twice') as string }));
      }),
    );
  });
});

it.each([[100, false], [101, true]])('%i objects and lists in each other: refused %s', (depth, isRefused) => {
  const refusal = expect.objectContaining({ name: 'SnapshotError', message: expect.stringContaining('more than 100 deep') as string });
  for (const json of ['['.repeat(depth) + ']'.repeat(depth), '{"a":'.repeat(depth) + '1' + '}'.repeat(depth)]) {
    if (isRefused) expect(() => refuseRepeatedFields(json)).toThrow(refusal);
    else expect(() => refuseRepeatedFields(json)).not.toThrow();
  }
});
