import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareText } from './compare-text.ts';

test('orders as the bytes of UTF-8 do', () => {
  const text = fc.string({ unit: 'binary', maxLength: 6 });
  fc.assert(
    fc.property(text, text, (a, b) => {
      expect(Math.sign(compareText(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
    }),
  );
});

test('a character beyond the basic plane comes after every one inside it', () => {
  expect(compareText('\u{ff5e}', '\u{1f600}')).toBeLessThan(0);
  expect('\u{ff5e}' < '\u{1f600}').toBe(false); // which is why `<` will not do
});
