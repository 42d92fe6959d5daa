/** Invented hourly on-demand prices in millionths of a US dollar (spec: demo); every banner and page that shows money says so. */
const MICRO_USD_PER_CORE = 30_000;
const MICRO_USD_PER_GIB = 4_000;

const MICRO_USD_PER_GPU: Readonly<Record<string, number>> = {
  T4: 350_000,
  P100: 900_000,
  V100M16: 1_500_000,
  V100M32: 2_000_000,
  G1: 500_000,
  G2: 1_000_000,
  G3: 3_000_000,
  A10: 1_200_000,
};

export const gpuModels: readonly string[] = Object.keys(MICRO_USD_PER_GPU);

/** Price of a machine of this shape, rounded to a whole micro-dollar. Throws on a GPU model that has no price. */
export function onDemandMicroUsdPerHour(shape: { cpuMilli: number; memoryMib: number; gpus: number; gpuModel: string }): number {
  const perGpu = shape.gpus === 0 ? 0 : MICRO_USD_PER_GPU[shape.gpuModel];
  if (perGpu === undefined) throw new Error(`no price for GPU model "${shape.gpuModel}"; known models: ${gpuModels.join(', ')}`);
  return Math.round((shape.cpuMilli * MICRO_USD_PER_CORE) / 1000 + (shape.memoryMib * MICRO_USD_PER_GIB) / 1024 + shape.gpus * perGpu);
}
