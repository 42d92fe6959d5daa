import type { Random } from '../../src/lib/random.ts';
import { FakeOperator } from '../../src/session/server/testing/fake-operator.ts';
import { wireRow } from '../../src/shard/testing/needs.ts';

const ROLLUP_MS = 60;
const RECONNECT_MS = 50;

/** An operator whose cluster wants a different number of machines every moment, so that calls of every kind are always under way. */
export class RestlessOperator {
  private readonly random: Random;
  private readonly most: number;
  private target: number | undefined;
  private session: FakeOperator | undefined;
  private timestamp = 1n;
  private readonly timer: ReturnType<typeof setInterval>;

  constructor(random: Random, most: number) {
    this.random = random;
    this.most = most;
    this.timer = setInterval(() => this.tick(), ROLLUP_MS);
  }

  connectTo(port: number): void {
    this.disconnect();
    this.target = port;
    this.dial();
  }

  disconnect(): void {
    this.target = undefined;
    this.session?.close();
    this.session = undefined;
  }

  stop(): void {
    clearInterval(this.timer);
    this.disconnect();
  }

  private dial(): void {
    const { target } = this;
    if (target === undefined) return;
    const session = new FakeOperator(`127.0.0.1:${target}`);
    this.session = session;
    session.hello('east');
    void session.ended.then(() => {
      session.close();
      if (this.session !== session) return;
      this.session = undefined;
      setTimeout(() => !this.session && this.dial(), RECONNECT_MS);
    });
    void (async () => {
      for (;;) session.answer((await session.wait('bootstrapRequest')).requestId, { userData: Buffer.from('join') });
    })();
  }

  private tick(): void {
    if (!this.session) return;
    const machines = Math.floor(this.random() * (this.most + 1));
    const needs = machines === 0 ? [] : [wireRow({ aggregateResources: new Map([['cpu', String(machines * 8)]]), minUnit: new Map([['cpu', '8']]) })];
    this.session.rollup({ clusterId: 'east', timestampUnixNanos: this.timestamp++, needs });
  }
}
