import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addQuantities, canonicalQuantity, compareQuantities, formatQuantity, fromBaseUnits, parseQuantity, QuantityError, quantityToNumber,
  toBaseUnits, type Quantity,
} from './quantity.ts';

describe('canonical form', () => {
  test.each([
    ['0', '0'], ['0Ki', '0'], ['-0', '0'], ['0.0n', '0'], ['0e9', '0'],
    ['1', '1'], ['+1', '1'], ['1.', '1'], ['.5', '500m'], ['-.5', '-500m'], ['0.5', '500m'],
    ['1000m', '1'], ['1500m', '1500m'], ['1.5', '1500m'], ['100m', '100m'], ['0.1', '100m'],
    ['8000', '8k'], ['8192', '8192'], ['20000000', '20M'], ['1000000000', '1G'], ['1200', '1200'], ['12000', '12k'],
    ['1024Ki', '1Mi'], ['1536Mi', '1536Mi'], ['1.5Gi', '1536Mi'], ['64Gi', '64Gi'], ['1024Mi', '1Gi'], ['0.5Ki', '512'], ['0.9765625Ki', '1k'],
    ['1000Ki', '1000Ki'], ['1Ki', '1Ki'], ['-1Ki', '-1Ki'], ['1.0001Ki', '1024102400u'], ['0.0001Ki', '102400u'], ['8Ei', '8Ei'], ['2048Ei', '2048Ei'],
    ['1k', '1k'], ['1000k', '1M'], ['1E', '1E'], ['12E', '12E'], ['1000E', '1000E'], ['1n', '1n'], ['1000n', '1u'], ['1u', '1u'],
    ['1e3', '1e3'], ['1E3', '1e3'], ['1000e0', '1e3'], ['12e6', '12e6'], ['1e4', '10e3'], ['1e-3', '1e-3'], ['5e0', '5'], ['1.5e3', '1500'],
    ['0.0000000001', '1n'], ['-0.0000000001', '-1n'], ['1.0000000001', '1000000001n'], ['1e-99', '1e-9'],
    ['9223372036854775807', '9223372036854775807'], ['18446744073709551616', '18446744073709551616'],
  ])('%s is printed %s', (text, canonical) => {
    expect(canonicalQuantity(text)).toBe(canonical);
  });

  test('a number is read like its text', () => {
    expect(canonicalQuantity(8000)).toBe('8k');
    expect(canonicalQuantity(0.25)).toBe('250m');
  });

  test('printing and parsing again gives the same value and the same text', () => {
    fc.assert(
      fc.property(anyQuantity, (quantity) => {
        const text = formatQuantity(quantity);
        const again = parseQuantity(text);
        expect(again.nanos).toBe(quantity.nanos);
        expect(formatQuantity(again)).toBe(text);
      }),
    );
  });
});

test.each([
  '', ' ', '1 ', ' 1', '.', '+', '-', '--1', '1.2.3', '12QQ', '1e', '1E+', '1e1.5', '1ki', '1KI', '1mi', 'Ki', '0x10', '1_000', 'NaN', 'Infinity', '１', '1\n',
  '1e65', '1e999999999', '9'.repeat(129),
])('%j is refused', (text) => {
  expect(() => parseQuantity(text)).toThrow(QuantityError);
});

test('numbers that are no amount are refused', () => {
  expect(() => parseQuantity(NaN)).toThrow(QuantityError);
  expect(() => parseQuantity(Infinity)).toThrow(QuantityError);
});

describe('arithmetic', () => {
  test('a sum keeps the format of its first term, or of the second if the first is zero', () => {
    const sum = (a: string, b: string) => formatQuantity(addQuantities(parseQuantity(a), parseQuantity(b)));
    expect(sum('1Gi', '1G')).toBe('2073741824'); // 2^30 + 10^9 has no factor of 1024
    expect(sum('1Gi', '1024Mi')).toBe('2Gi');
    expect(sum('1G', '1Gi')).toBe('2073741824');
    expect(sum('24M', '1Mi')).toBe('25048576');
    expect(sum('1k', '1Ki')).toBe('2024');
    expect(sum('0', '1Gi')).toBe('1Gi');
    expect(sum('1e3', '1k')).toBe('2e3');
    expect(sum('500m', '500m')).toBe('1');
  });

  test('values compare across formats', () => {
    const sign = (a: string, b: string) => Math.sign(compareQuantities(parseQuantity(a), parseQuantity(b)));
    expect(sign('16Gi', '17179869184')).toBe(0);
    expect(sign('1Ki', '1k')).toBe(1);
    expect(sign('-1', '1n')).toBe(-1);
  });

  test('dollars are the nearest floating-point number', () => {
    expect(quantityToNumber(parseQuantity('500m'))).toBe(0.5);
    expect(quantityToNumber(parseQuantity('0.51'))).toBe(0.51);
    expect(quantityToNumber(parseQuantity('20M'))).toBe(20_000_000);
    expect(quantityToNumber(parseQuantity('-250m'))).toBe(-0.25);
  });
});

describe('base units', () => {
  test.each([
    ['cpu', '1', 1000], ['cpu', '1500m', 1500], ['cpu', '2.5', 2500], ['cpu', '1k', 1_000_000],
    ['nvidia.com/gpu', '8', 8000], ['pods', '110', 110_000],
    ['memory', '1Gi', 1_073_741_824], ['memory', '64Gi', 68_719_476_736], ['memory', '1.5Ki', 1536], ['memory', '1M', 1_000_000],
    ['ephemeral-storage', '20Gi', 21_474_836_480], ['hugepages-2Mi', '4Mi', 4_194_304], ['storage', '1Ti', 1_099_511_627_776],
  ] as const)('%s %s is %d', (dimension, text, amount) => {
    expect(toBaseUnits(dimension, text, 'up')).toBe(amount);
    expect(toBaseUnits(dimension, text, 'down')).toBe(amount);
  });

  test('what is not whole is rounded up for demand and down for capacity', () => {
    expect(toBaseUnits('cpu', '1u', 'up')).toBe(1);
    expect(toBaseUnits('cpu', '1u', 'down')).toBe(0);
    expect(toBaseUnits('memory', '128974848500m', 'up')).toBe(128_974_849);
    expect(toBaseUnits('memory', '128974848500m', 'down')).toBe(128_974_848);
    expect(toBaseUnits('cpu', '-1u', 'up')).toBe(0);
    expect(toBaseUnits('cpu', '-1u', 'down')).toBe(-1);
  });

  test('the largest safe integer is counted, one more is refused with the dimension named', () => {
    expect(toBaseUnits('memory', '9007199254740991', 'up')).toBe(Number.MAX_SAFE_INTEGER);
    expect(() => toBaseUnits('memory', '9007199254740992', 'up')).toThrow(/^memory: .*too large/);
    expect(() => toBaseUnits('memory', '9007199254740991.5', 'up')).toThrow(/^memory: .*too large/);
    expect(toBaseUnits('memory', '9007199254740991.5', 'down')).toBe(Number.MAX_SAFE_INTEGER);
    expect(() => toBaseUnits('cpu', '10T', 'down')).toThrow(/^cpu: .*too large/);
    expect(toBaseUnits('cpu', '9T', 'down')).toBe(9_000_000_000_000_000);
    expect(() => toBaseUnits('memory', '999999999Gi', 'down')).toThrow(QuantityError);
  });

  test('text that is no quantity is refused with the dimension named', () => {
    expect(() => toBaseUnits('nvidia.com/gpu', '12QQ', 'up')).toThrow(/^nvidia\.com\/gpu: "12QQ"/);
  });

  test('printing uses the canonical form of the dimension', () => {
    expect(fromBaseUnits('cpu', 24_000)).toBe('24');
    expect(fromBaseUnits('memory', 3 * 64 * 2 ** 30)).toBe('192Gi');
    expect(fromBaseUnits('memory', 0)).toBe('0');
    expect(fromBaseUnits('cpu', 4500)).toBe('4500m');
    expect(fromBaseUnits('memory', 2 ** 60)).toBe('1Ei'); // sums of many machines
    expect(() => fromBaseUnits('cpu', 0.5)).toThrow(QuantityError);
    expect(() => fromBaseUnits('cpu', Infinity)).toThrow(QuantityError);
  });

  test('every amount survives printing and parsing', () => {
    const amount = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
    fc.assert(
      fc.property(fc.constantFrom('cpu', 'memory', 'hugepages-1Gi', 'nvidia.com/gpu'), amount, (dimension, n) => {
        expect(toBaseUnits(dimension, fromBaseUnits(dimension, n), 'up')).toBe(n);
      }),
    );
  });

  test('the quick way for common spellings agrees with the exact one', () => {
    const spelling = fc.tuple(fc.nat({ max: 999_999_999 }), fc.constantFrom('', 'm', 'Ki', 'Mi', 'Gi')).map(([n, suffix]) => `${n}${suffix}`);
    fc.assert(
      fc.property(fc.constantFrom('cpu', 'memory'), spelling, fc.constantFrom('up', 'down'), (dimension, text, rounding) => {
        const attempt = (quantity: string | Quantity) => {
          try {
            return toBaseUnits(dimension, quantity, rounding);
          } catch {
            return 'refused';
          }
        };
        expect(attempt(text)).toBe(attempt(parseQuantity(text)));
      }),
    );
  });
});

const anyQuantity: fc.Arbitrary<Quantity> = fc.record({
  nanos: fc.oneof(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), fc.bigInt({ min: -(2n ** 40n), max: 2n ** 40n }).map((n) => n * 1_000_000_000n)),
  format: fc.constantFrom('DecimalSI', 'BinarySI', 'DecimalExponent'),
});
