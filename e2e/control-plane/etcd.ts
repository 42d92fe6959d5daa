import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { ensureBinaries } from '../../hack/control-plane/build.ts';
import { freePort } from './free-port.ts';
import { GuardedProcess } from './guarded-process.ts';
import { untilReady } from './until-ready.ts';

const START_ATTEMPTS = 3;

/** A running etcd; several control planes share one, each under its own prefix. */
export interface Etcd {
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Starts an etcd on loopback that keeps its data and its log in `dir`. It never syncs to disk: its data is thrown away. */
export async function startEtcd(dir: string, log: (line: string) => void = () => undefined): Promise<Etcd> {
  const { etcd } = await ensureBinaries({ log });
  await mkdir(dir, { recursive: true });
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startOnce(etcd, dir, attempt, log);
    } catch (error) {
      if (attempt === START_ATTEMPTS) throw error; // most likely another process took the port in between
      log(`etcd did not start, trying another port: ${String(error)}`);
    }
  }
}

async function startOnce(command: string, dir: string, attempt: number, log: (line: string) => void): Promise<Etcd> {
  const url = `http://127.0.0.1:${await freePort()}`;
  const peerUrl = `http://127.0.0.1:${await freePort()}`;
  const etcd = GuardedProcess.start({
    name: 'etcd',
    command,
    args: [
      '--name=etcd',
      `--data-dir=${join(dir, `data-${attempt}`)}`,
      '--unsafe-no-fsync',
      `--listen-client-urls=${url}`,
      `--advertise-client-urls=${url}`,
      `--listen-peer-urls=${peerUrl}`,
      `--initial-advertise-peer-urls=${peerUrl}`,
      `--initial-cluster=etcd=${peerUrl}`,
      '--quota-backend-bytes=4294967296',
      '--log-level=warn',
    ],
    logPath: join(dir, 'etcd.log'),
    graceMs: 2_000,
    onUnexpectedExit: log,
  });
  try {
    await untilReady('etcd', { url: `${url}/readyz` }, [etcd]);
  } catch (error) {
    await etcd.stop();
    throw error;
  }
  return { url, pid: etcd.pid, stop: () => etcd.stop() };
}
