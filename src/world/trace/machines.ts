import { stableHash } from '../../lib/random.ts';
import { UsageError } from '../../lib/usage-error.ts';
import { GPU_MILLI, GPU_MODEL_LABEL, RACK_LABEL, ZONES } from '../labels.ts';
import { gpuModels, onDemandMicroUsdPerHour } from '../prices.ts';
import { seedInstance } from '../seed-instance.ts';
import type { SeedInstance } from '../seed-instance.ts';
import { integer, objectName, optionalText, readCsv, requireUnique } from './csv.ts';

/** A machine's id is also the value of a label of its Node. */
const MAX_ID_LENGTH = 63;

const columns = {
  sn: objectName(MAX_ID_LENGTH),
  cpu_milli: integer(1),
  memory_mib: integer(1),
  gpu: integer(0, 1024),
  model: optionalText,
};

const RACK_SIZE = 32;

/** The trace's node list as machines of the sim provider, in file order (spec: demo, trace replay). */
export function readTraceMachines(file: string, content: string): SeedInstance[] {
  const rows = readCsv(file, content, columns);
  requireUnique(file, rows, 'sn');
  return rows.map((row, index) => {
    const wrongModel = row.gpu > 0 ? !gpuModels.includes(row.model) : row.model !== '';
    if (wrongModel) {
      const expected = row.gpu > 0 ? `one of ${gpuModels.join(', ')}` : 'nothing, as gpu is 0';
      throw new UsageError(`${file}: line ${row.line}, column model: expected ${expected}, found ${JSON.stringify(row.model)}`);
    }
    const rack = Math.floor(index / RACK_SIZE);
    return seedInstance({
      id: row.sn,
      instanceType: machineType(row),
      zone: ZONES[rack % ZONES.length] ?? ZONES[0],
      capacityType: capacityType(row.sn),
      onDemandMicroUsdPerHour: onDemandMicroUsdPerHour({ cpuMilli: row.cpu_milli, memoryMib: row.memory_mib, gpus: row.gpu, gpuModel: row.model }),
      resources: {
        cpu: `${row.cpu_milli}m`,
        memory: `${row.memory_mib}Mi`,
        ...(row.gpu > 0 ? { [GPU_MILLI]: String(row.gpu * 1000) } : {}),
      },
      labels: { [RACK_LABEL]: `rack-${String(rack).padStart(3, '0')}`, ...(row.gpu > 0 ? { [GPU_MODEL_LABEL]: row.model } : {}) },
    });
  });
}

/** `<model or cpu>-<gpu>g-<cores>c-<GiB>g`, cores and GiB rounded to whole ones. */
function machineType(row: { cpu_milli: number; memory_mib: number; gpu: number; model: string }): string {
  return `${row.model || 'cpu'}-${row.gpu}g-${Math.round(row.cpu_milli / 1000)}c-${Math.round(row.memory_mib / 1024)}g`;
}

/** 30 % BareMetal, 50 % OnDemand, 20 % Spot by a stable hash, so that a machine keeps its kind when the file grows. */
export function capacityType(sn: string): SeedInstance['capacityType'] {
  const percent = stableHash(sn) % 100;
  if (percent < 30) return 'BareMetal';
  return percent < 80 ? 'OnDemand' : 'Spot';
}
