import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { planOnce } from '../engine/engine.ts';
import { DEFAULT_POLICY, FIELDS } from './document.ts';
import { parseSnapshot } from './parse.ts';
import { planReport } from './plan-report.ts';

const page = readFileSync(new URL('../../docs/engine-snapshot.md', import.meta.url), 'utf8');

/** First and second column of the table under a heading. */
function rows(heading: string): [field: string, second: string][] {
  const section = page.split(`\n### ${heading}\n`)[1]?.split('\n#')[0] ?? '';
  return [...section.matchAll(/^\| `(\w+)` \|([^|]*)\|/gm)].map(([, field = '', second = '']) => [field, second.trim()]);
}

it.each(Object.entries(FIELDS))('the page names every field of a %s, and no other', (kind, fields) => {
  expect(rows(kind).map(([field]) => field)).toEqual([...fields]);
});

it.each(['policy', 'holds'] as const)('the page says the defaults of %s', (kind) => {
  const values: Readonly<Record<string, unknown>> = kind === 'policy' ? { ...DEFAULT_POLICY } : { ...DEFAULT_POLICY.holds };
  for (const [field, said] of rows(kind)) {
    const value = values[field];
    if (typeof value === 'number') expect(`${field} ${said}`).toBe(`${field} ${String(value)}`);
    else if (Array.isArray(value)) expect(said).toBe(`\`[${value.join(', ')}]\``);
  }
});

it('the page names every reason, and no other', () => {
  const explain = readFileSync(new URL('../engine/explain.ts', import.meta.url), 'utf8');
  const codes = [...explain.matchAll(/case '(\w+)':/g)].map(([, code]) => code);
  const unmet = [...explain.matchAll(/^ {2}([A-Z_]+): '/gm)].map(([, reason]) => reason);
  expect([codes.length, unmet.length]).toEqual([25, 10]);
  expect(rows('Why a machine is where it is').map(([code]) => code)).toEqual(codes);
  expect(rows('Why a need is unmet').map(([reason]) => reason)).toEqual(unmet);
});

it('the page names every field of a plan', () => {
  const { snapshot, at } = parseSnapshot({
    machines: [{ id: 'm{1..2}', state: 'Speculative', capacityType: 'Spot' }, { id: 'spot', capacityType: 'Spot', hold: false, zone: 'za' }],
    clusters: { a: { needs: [{ units: 5 }, { group: 'g', profile: { requirements: [{ key: 'topology.kubernetes.io/zone', operator: 'Same' }] }, units: 9 }] } },
  });
  const report = planReport(planOnce(snapshot, at));
  const documented = (heading: string): string[] => rows(heading).map(([field]) => field);
  expect(documented('plan')).toEqual(expect.arrayContaining(Object.keys(report)));
  for (const [heading, items] of [['action', report.actions], ['verdict', report.verdicts], ['reason', report.reasons]] as const) {
    expect(items.length).toBeGreaterThan(0);
    expect(documented(heading)).toEqual(expect.arrayContaining([...new Set(items.flatMap((item) => Object.keys(item)))]));
  }
});

it('the example of the page is a snapshot', () => {
  const [, example = ''] = /```json\n([\s\S]*?)```/.exec(page) ?? [];
  const { snapshot, at } = parseSnapshot(example);
  expect(planOnce(snapshot, at).actions).toHaveLength(4);
});
