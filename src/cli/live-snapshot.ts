import type { Command } from 'commander';
import { UsageError } from '../lib/usage-error.ts';
import { addShardFlags, withShard } from './shard-connection.ts';
import type { ShardFlags } from './shard-connection.ts';

interface SnapshotFlags extends ShardFlags {
  output: string;
}

const help = `
What it is:
  All that the engine of a running shard knew when it made its next plan, and that plan, as one file: for a report of a
  fault, or to ask what if. It names clusters, machines and their labels, prices and demand; it holds no Pods and no credentials.

Example:
  bigfleet engine snapshot --shard 127.0.0.1:7780 -o now.snap
  bigfleet engine replay now.snap
  bigfleet engine plan -f now.snap --demand prod=1.5 --compare

Exit codes: 0 written · 1 the shard is out of reach, or the file cannot be written · 2 wrong flags`;

export function register(engine: Command): void {
  addShardFlags(engine.command('snapshot'))
    .description('what the engine of a running shard knows now, into a file')
    .requiredOption('-o, --output <file>', 'where to; a name that ends in .json gets readable JSON, any other the same compressed')
    .addHelpText('after', help)
    .action(async (flags: SnapshotFlags) => {
      if (flags.output === '') throw new UsageError('-o: name a file');
      const bytes = await takeSnapshot(flags);
      process.stdout.write(`${flags.output}: ${String(bytes)} bytes\n`);
    });
}

/** Returns the size of the file, which appears whole or not at all. */
export async function takeSnapshot(flags: SnapshotFlags): Promise<number> {
  const [{ ShardViewService }, { rename, rm, writeFile }, { gunzip }, { promisify }, { randomUUID }] = await Promise.all([
    import('../api/gen/bigfleet/v1alpha1/view.ts'), import('node:fs/promises'), import('node:zlib'), import('node:util'), import('node:crypto'),
  ]);
  const file = await withShard(flags, async (peer, timeoutMs) => {
    const pieces: Uint8Array[] = [];
    for await (const { data } of peer.serverStream(ShardViewService.takeSnapshot, {}, { timeoutMs })) pieces.push(data);
    return Buffer.concat(pieces);
  });
  const bytes = flags.output.endsWith('.json') ? await promisify(gunzip)(file) : file;
  const unfinished = `${flags.output}.${randomUUID()}`;
  try {
    await writeFile(unfinished, bytes);
    await rename(unfinished, flags.output);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
  return bytes.length;
}
