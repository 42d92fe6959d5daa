import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'hack/**/*.test.ts', 'e2e/control-plane/**/*.test.ts', 'e2e/kills/**/*.test.ts', 'e2e/install/**/*.test.ts', 'e2e/soak/**/*.test.ts', 'bench/**/*.test.ts', 'explore/**/*.test.ts'],
    setupFiles: ['./hack/seeded.ts'],
    pool: 'threads',
    maxWorkers: 2,
    // A worker and its modules serve many files: a third of the time. No file may leave anything behind, hooks of helpers included.
    isolate: false,
    testTimeout: 20_000,
    retry: 0,
    reporters: ['default', './hack/covered-by.ts'],
  },
});
