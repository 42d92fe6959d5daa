/** Snapshots and plans on disk: JSON, or the same compressed. Which of the two a file is, its first bytes say. */
import { randomUUID } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import type { Millis, Plan, Snapshot } from '../engine/types.ts';
import { UsageError } from '../lib/usage-error.ts';
import { PLAN_FORMAT } from '../snapshot/document.ts';
import { formatSnapshot } from '../snapshot/format.ts';
import { parseSnapshot } from '../snapshot/parse.ts';
import type { SnapshotDocument } from '../snapshot/parse.ts';
import { parsePlanReport } from '../snapshot/plan-diff.ts';
import { planReport } from '../snapshot/plan-report.ts';
import type { PlanReport } from '../snapshot/plan-report.ts';
import { SnapshotError } from '../snapshot/reader.ts';
import { refuseRepeatedFields } from '../snapshot/repeated-field.ts';

/**
 * Writes a snapshot, with the plan that was made of it if given, and returns the size in bytes. A path that ends in `.json`
 * becomes readable JSON, any other the same compressed. The file appears whole or not at all. The facts are read before the
 * first wait, so that the engine may go on meanwhile.
 */
export async function writeSnapshotFile(path: string, snapshot: Snapshot, at: Millis, plan?: Plan): Promise<number> {
  const text = formatSnapshot(snapshot, at, plan && planReport(plan, false));
  const bytes = path.endsWith('.json') ? Buffer.from(text) : await promisify(gzip)(text);
  const unfinished = `${path}.${randomUUID()}`;
  try {
    await writeFile(unfinished, bytes);
    await rename(unfinished, path);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
  return bytes.length;
}

/** Throws a UsageError that names the file and what is wrong with it. */
export async function readSnapshotFile(path: string): Promise<SnapshotDocument> {
  const value = await readJsonFile(path);
  if (isPlan(value)) throw new UsageError(`${path}: this is a plan, not a snapshot; it holds what was decided, but not what was known`);
  return read(path, () => parseSnapshot(value));
}

/** Either kind of file. Throws a UsageError that names the file and what is wrong with it. */
export async function readEngineFile(path: string): Promise<SnapshotDocument | PlanReport> {
  const value = await readJsonFile(path);
  return read(path, () => (isPlan(value) ? parsePlanReport(value) : parseSnapshot(value)));
}

function isPlan(value: unknown): boolean {
  const format = typeof value === 'object' && value !== null && 'format' in value ? value.format : undefined;
  return typeof format === 'string' && format.startsWith(PLAN_FORMAT.replace(/\d+$/, '')); // of whatever version: its reader says which it takes
}

async function readJsonFile(path: string): Promise<unknown> {
  const text = (await readText(path)).replace(/^\uFEFF/, ''); // some editors begin a file with this mark
  if (text.trim() === '') throw new UsageError(`${path}: the file is empty`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${path}: this is no JSON, or only the beginning of one: ${messageOf(error)}`);
  }
  read(path, () => refuseRepeatedFields(text));
  return value;
}

async function readText(path: string): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw new UsageError(`${path}: cannot be read: ${messageOf(error)}`);
  }
  try {
    return (bytes[0] === 0x1f && bytes[1] === 0x8b ? await promisify(gunzip)(bytes) : bytes).toString('utf8');
  } catch (error) {
    throw new UsageError(`${path}: is compressed, but truncated or damaged: ${messageOf(error)}`);
  }
}

function read<T>(path: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof SnapshotError) throw new UsageError(`${path}: ${error.message}`);
    throw error;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
