import { openFileStore, serveProvider, type Instance, type ProviderBackend, type RunningProvider } from '../kit/index.ts';

/** What a substrate can do for us; here: hosts on a shelf with a management controller each. */
export interface Shelf {
  hosts(): Promise<{ name: string; cores: number; memoryGi: number; room: string }[]>;
  powerOn(name: string, signal: AbortSignal): Promise<void>;
  runUserData(name: string, userData: Uint8Array, signal: AbortSignal): Promise<void>;
  wipe(name: string, graceSeconds: number, signal: AbortSignal): Promise<void>;
}

class ShelfBackend implements ProviderBackend {
  readonly resumable = true; // powering on, running the same user data and wiping may all be repeated
  private readonly shelf: Shelf;

  constructor(shelf: Shelf) {
    this.shelf = shelf;
  }

  async describe(): Promise<Instance[]> {
    return (await this.shelf.hosts()).map(({ name, cores, memoryGi, room }) => ({
      id: name, instanceType: `shelf-${cores}c`, zone: room, capacityType: 'BareMetal', pricePerHour: 0.05 * cores,
      interruptionProbability: 0, resources: { cpu: String(cores), memory: `${memoryGi}Gi` }, labels: {}, state: 'Speculative',
    }));
  }

  createInstance: ProviderBackend['createInstance'] = async ({ machine }, signal) => {
    await this.shelf.powerOn(machine.id, signal);
    return { host: { provider: 'shelf', ref: `shelf:///${machine.id}` } };
  };

  configureInstance: ProviderBackend['configureInstance'] = ({ machine, bootstrapBlob }, signal) =>
    this.shelf.runUserData(machine.id, bootstrapBlob, signal);

  drainInstance: ProviderBackend['drainInstance'] = ({ machine, gracePeriodSeconds }, signal) =>
    this.shelf.wipe(machine.id, Number(gracePeriodSeconds), signal);
}

export function serveShelf(shelf: Shelf, directory: string): Promise<RunningProvider> {
  return serveProvider(new ShelfBackend(shelf), { address: '127.0.0.1:0', store: openFileStore({ directory }) });
}
