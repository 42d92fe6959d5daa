import { parentPort } from 'node:worker_threads';
import { playSeed } from './world/world.ts';

parentPort?.on('message', (seed: number) => void playSeed(seed).then((outcome) => parentPort?.postMessage(outcome.violations.length > 0 ? outcome : { ...outcome, transcript: '' })));
