import type { Shard } from '../api/types.ts';
import { RememberedSpec, settingsOf } from './settings.ts';
import type { ShardSettings } from './settings.ts';

/**
 * The settings in force: those of the Shard object as last seen, kept over restarts; before there was any word on them the
 * defaults, under which nothing may be taken away.
 */
export class LiveSettings {
  private readonly remembered: RememberedSpec;
  private readonly reclaimGraceSeconds: number | undefined;
  private spec: string;
  private settings: ShardSettings;
  private heard: boolean;

  constructor(dataDir: string, reclaimGraceSeconds: number | undefined) {
    this.remembered = new RememberedSpec(dataDir);
    this.reclaimGraceSeconds = reclaimGraceSeconds;
    const spec = this.remembered.load();
    this.heard = spec !== undefined;
    this.spec = JSON.stringify(spec);
    this.settings = settingsOf({ spec: spec ?? {} }, reclaimGraceSeconds);
  }

  get current(): ShardSettings {
    return this.settings;
  }

  /** False until a person's word on the mode was seen, now or by an earlier process. */
  get known(): boolean {
    return this.heard;
  }

  /** True when something is different now. Objects change with every status; only their spec is of interest. */
  adopt(object: Pick<Shard, 'spec'>): boolean {
    const spec = JSON.stringify(object.spec);
    if (this.heard && spec === this.spec) return false;
    this.spec = spec;
    this.heard = true;
    this.settings = settingsOf(object, this.reclaimGraceSeconds);
    this.remembered.save(object.spec);
    return true;
  }
}
