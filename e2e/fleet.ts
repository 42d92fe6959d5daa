import { join } from 'node:path';
import { machinesOf } from './rig/machines.ts';

const root = join(import.meta.dirname, '..');
const crds = (names: readonly string[]): string[] => names.map((name) => join(root, `config/crd/bases/${name}.yaml`));
export const controlCrds = crds(['control.bigfleet.lucy.sh_shards', 'control.bigfleet.lucy.sh_machines', 'control.bigfleet.lucy.sh_capacityproviders']);
export const publicCrds = crds(['bigfleet.lucy.sh_capacityrequests', 'bigfleet.lucy.sh_upcomingnodes', 'bigfleet.lucy.sh_availablecapacities']);

/** Two machines that exist already and six that can be created (`cloud-N`), of 8 cores each. */
export function seedFile(): string {
  return [...machinesOf('metal', 2, { capacityType: 'BareMetal' }), ...machinesOf('cloud', 6)].map((machine) => JSON.stringify(machine)).join('\n');
}
