import type { Shard } from '../api/types.ts';
import type { Policy } from '../engine/types.ts';
import { RememberedSpec, settingsOf } from './settings.ts';
import type { ShardSettings } from './settings.ts';
import type { ShardDisk } from './disk.ts';

/** Graces given on the command line; what is absent takes the default. */
export interface Graces {
  readonly reclaimSeconds?: number;
  readonly preemptionSeconds?: Policy['preemptionGraceSeconds'];
}

/**
 * The settings in force: those of the Shard object as last seen, kept over restarts; before there was any word on them the
 * defaults, under which nothing may be taken away.
 */
export class LiveSettings {
  private readonly remembered: RememberedSpec;
  private readonly graces: Graces;
  private spec: string;
  private settings: ShardSettings;
  private heard: boolean;
  /** In force, and not kept over a restart yet. */
  private unkept: Shard['spec'] | undefined;

  constructor(dataDir: string, graces: Graces = {}, disk?: Pick<ShardDisk, 'replace'>) {
    this.remembered = new RememberedSpec(dataDir, disk);
    this.graces = graces;
    const spec = this.remembered.load();
    this.heard = spec !== undefined;
    this.spec = JSON.stringify(spec);
    this.settings = this.settingsOf({ spec: spec ?? {} });
  }

  get current(): ShardSettings {
    return this.settings;
  }

  /** False until a person's word on the mode was seen, now or by an earlier process. */
  get known(): boolean {
    return this.heard;
  }

  /** True when something is different now, which `keep` is to keep. Objects change with every status; only their spec is of interest. */
  adopt(object: Pick<Shard, 'spec'>): boolean {
    const spec = JSON.stringify(object.spec);
    if (this.heard && spec === this.spec) return false;
    this.spec = spec;
    this.heard = true;
    this.settings = this.settingsOf(object);
    this.unkept = object.spec;
    return true;
  }

  /** What is in force outlasts the process. Throws when it cannot be written: it is in force all the same, and to be kept later. */
  keep(): void {
    if (!this.unkept) return;
    try {
      this.remembered.save(this.unkept);
    } catch (error) {
      throw new Error(`the spec of the Shard object is in force and would not outlast a restart: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
    this.unkept = undefined;
  }

  private settingsOf(object: Pick<Shard, 'spec'>): ShardSettings {
    return settingsOf(object, this.graces.reclaimSeconds, this.graces.preemptionSeconds);
  }
}
