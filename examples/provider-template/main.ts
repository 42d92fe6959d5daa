import { parseArgs } from 'node:util';
import { memoryStore, openFileStore, serveProvider } from 'bigfleet/provider-kit';
import { CloudBackend, StuckBackend, type Offer } from './backend.ts';
import { makeBelieveCloud } from './cloud.ts';

const { values: flags } = parseArgs({
  options: {
    addr: { type: 'string', default: '127.0.0.1:9090' },
    state: { type: 'string' },
    stuck: { type: 'boolean', default: false }, // for the conformance suite alone
    'metrics-addr': { type: 'string', default: '0' },
    'tls-cert': { type: 'string' },
    'tls-key': { type: 'string' },
    'tls-ca': { type: 'string' },
  },
});
const { 'tls-cert': cert, 'tls-key': key, 'tls-ca': ca } = flags;
const given = Object.entries({ '--tls-cert': cert, '--tls-key': key, '--tls-ca': ca }).filter(([, file]) => file !== undefined);
const tlsFiles = cert && key && ca ? { cert, key, ca } : undefined;
if (!tlsFiles && given.length > 0) {
  const [empty] = given.find(([, file]) => file === '') ?? [];
  process.stderr.write(`${empty ? `${empty} is empty; ` : ''}--tls-cert, --tls-key and --tls-ca go together: give all three for mTLS or none for plaintext\n`);
  process.exit(2);
}

const offers: readonly Offer[] = [
  { type: 'small', zone: 'zone-a', capacityType: 'OnDemand', pricePerHour: 0.1, resources: { cpu: '4', memory: '16Gi', pods: '110' }, slots: 256 },
  { type: 'small', zone: 'zone-b', capacityType: 'Spot', pricePerHour: 0.03, interruptionProbability: 0.02, resources: { cpu: '4', memory: '16Gi', pods: '110' }, slots: 256 },
];

const log = (level: string, message: string, fields: object = {}): void => void process.stderr.write(`${JSON.stringify({ level, message, ...fields })}\n`);
const Backend = flags.stuck ? StuckBackend : CloudBackend;
const provider = await serveProvider(new Backend(makeBelieveCloud(), offers), {
  address: flags.addr,
  ...(flags.stuck && { timeouts: { configureMs: 5_000 } }),
  // Without a state folder a restart forgets which server serves which cluster: for trying out only.
  store: flags.state === undefined ? memoryStore() : openFileStore({ directory: flags.state }),
  metricsAddress: flags['metrics-addr'],
  ...(tlsFiles && { tlsFiles }),
  events: {
    onWarning: (text) => log('warn', text),
    onStateChange: ({ from, machine }) => machine.state === 'Failed' && log('error', machine.lastError, { machine: machine.id, from }),
  },
});
process.stdout.write(`${JSON.stringify({ event: 'listening', address: `${flags.addr.slice(0, flags.addr.lastIndexOf(':'))}:${provider.port}` })}\n`);

await new Promise<void>((resolve) => {
  process.once('SIGTERM', () => resolve());
  process.once('SIGINT', () => resolve());
});
await provider.close();
