#!/usr/bin/env node
// The `bigfleet` command: same entry as `npm run bigfleet --`.
process.argv.splice(2, 0, 'bigfleet');
await import('./run.mjs');
