import { describe, expect, it } from 'vitest';
import { layOut } from './lay-out.ts';

const many = <T>(n: number, of: (i: number) => T): T[] => Array.from({ length: n }, (_, i) => of(i));
const documentOf = (n: number) => ({
  format: 'x/v1', at: 5, trusted: true, nothing: undefined, none: [], empty: {},
  machines: many(n, (i) => ({ id: i % 3 === 0 ? many(n, (j) => `m-${i}-${j}`) : `m${i}`, hold: true, left: undefined })),
  clusters: Object.fromEntries(many(n, (i) => [`c"${i}`, { needs: many(i === 1 ? n : 1, (j) => ({ j, text: 'a\n' })), hints: null, absent: undefined }])),
  memory: { arrivals: many(n, (i) => ({ key: `k${i}` })), idleSince: Object.fromEntries(many(n, (i) => [`m${i}`, i])) },
});

describe('the layout of a document', () => {
  it.each([1, 3, 700])('has an entry per line and says what JSON says, whatever its size (%i)', (n) => {
    const document = documentOf(n);
    const pieces = [...layOut(document)];
    const text = pieces.join('');
    expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(document)));
    const machines = document.machines.map((machine) => `  ${JSON.stringify(machine)}`).join(',\n');
    const clusters = Object.entries(document.clusters).map(([name, cluster]) => `  ${JSON.stringify(name)}: ${JSON.stringify(cluster)}`).join(',\n');
    expect(text.startsWith('{\n"format": "x/v1",\n"at": 5,\n"trusted": true,\n"none": [],\n"empty": {},\n')).toBe(true);
    expect(text).toContain(`"machines": [\n${machines}\n],\n"clusters": {\n${clusters}\n},\n"memory": {\n  "arrivals": ${JSON.stringify(document.memory.arrivals)},\n`);
    expect(text.endsWith('}\n}\n')).toBe(true);
    // No piece is the text of many entries.
    expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThan(40_000);
  });
});
