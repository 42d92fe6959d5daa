import type { Runnable } from '../../runtime/types.ts';

/** Runs together what it is given before it starts and after; ends when it is told to, or with the first of them that fails. */
export class Crew implements Runnable {
  readonly name: string;
  private readonly members: Runnable[] = [];
  private engage: ((member: Runnable) => void) | undefined;

  constructor(name: string) {
    this.name = name;
  }

  add(...members: readonly Runnable[]): void {
    this.members.push(...members);
    for (const member of members) this.engage?.(member);
  }

  async run(signal: AbortSignal): Promise<void> {
    const failed = Promise.withResolvers<never>();
    failed.promise.catch(() => undefined); // it may fail when nobody waits for it any more
    const running: Promise<void>[] = [];
    this.engage = (member) => {
      const run = member.run(signal).then(() => {
        if (!signal.aborted) throw new Error(`${member.name} ended although nobody stopped it`);
      });
      run.catch((error: unknown) => failed.reject(error));
      running.push(run);
    };
    for (const member of this.members) this.engage(member);
    const stopped = new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await Promise.race([stopped, failed.promise]);
    this.engage = undefined;
    await Promise.all(running);
  }
}
