/** Runs dependency-cruiser over src/ and fails on a broken rule, or when the checker did not see the tree. */
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cruise } from 'dependency-cruiser';
import extractTSConfig from 'dependency-cruiser/config-utl/extract-ts-config';
import type { ICruiseResult } from 'dependency-cruiser';

const config = createRequire(import.meta.url)('../.dependency-cruiser.cjs') as { forbidden: []; options: object };
const result = (
  await cruise(['src'], { ...config.options, ruleSet: { forbidden: config.forbidden }, validate: true }, undefined, {
    tsConfig: extractTSConfig('tsconfig.json'),
  })
).output as ICruiseResult;

const sources = readdirSync('src', { recursive: true }).filter((file) => String(file).endsWith('.ts')).length;
const seen = result.modules.filter((module) => module.source.startsWith('src/')).length;
const edges = result.summary.totalDependenciesCruised ?? 0;
if (seen < sources || edges < sources) {
  console.error(`dependency check saw ${seen} of ${sources} source files and ${edges} imports: it did not look at the tree`);
  process.exit(1);
}
for (const violation of result.summary.violations) {
  console.error(`${violation.rule.severity} ${violation.rule.name}: ${violation.from} → ${violation.to}`);
}
if (result.summary.error > 0) process.exit(1);
console.error(`dependency rules hold: ${seen} files, ${edges} imports`);
