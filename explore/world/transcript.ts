import type { Timeline } from './timeline.ts';

/** What happened in one world, line by line: of equal seeds the same, byte for byte. */
export class Transcript {
  readonly lines: string[] = [];
  private readonly timeline: Timeline;

  constructor(timeline: Timeline) {
    this.timeline = timeline;
  }

  add(who: string, what: string): void {
    this.lines.push(`${(this.timeline.now / 1000).toFixed(3).padStart(9)}  ${who.padEnd(12)} ${what}`);
  }

  toString(): string {
    return `${this.lines.join('\n')}\n`;
  }
}
