/**
 * Run as a process of its own: writes to a control plane with the data directory argv[2] and prints the name of each object
 * once the write is acknowledged, until somebody kills it.
 */
import { writeSync } from 'node:fs';
import { systemClock } from '../../lib/clock.ts';
import type { KubeObject } from '../../runtime/types.ts';
import { configMaps } from '../builtin-types.ts';
import { startEmbeddedControlPlane } from '../control-plane.ts';

const dataDir = process.argv[2];
if (dataDir === undefined) throw new Error('usage: write-until-killed.ts DIRECTORY');
// A small log, so that compaction is going on when the kill comes.
const plane = await startEmbeddedControlPlane({ name: 'victim', crds: [], clock: systemClock, dataDir, tuning: { compactBytes: 20_000 } });

let number = 0;
function writeSome(): void {
  for (let i = 0; i < 20; i++) {
    const name = `c${number++}`;
    const { metadata } = plane.store.create<KubeObject>(configMaps, { metadata: { name } });
    writeSync(1, `${name} ${metadata.resourceVersion}\n`);
    if (number % 3 === 0) {
      plane.store.delete(configMaps, { name: `c${number - 3}` });
      writeSync(1, `-c${number - 3} ${plane.store.resourceVersion}\n`);
    }
  }
  setImmediate(writeSome);
}
writeSome();
