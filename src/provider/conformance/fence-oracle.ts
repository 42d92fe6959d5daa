import type { Reply, Token } from './caller.ts';
import { Violation } from './expectation.ts';

/** What a fence must say: per shard and machine the highest token so far. */
export class FenceOracle {
  private readonly marks = new Map<string, Token>();

  /** Sends `token` for `machineId` and checks that it is fenced if and only if it must be. */
  async expect(token: Token, machineId: string, send: (token: Token) => Promise<Reply<unknown>>): Promise<void> {
    const key = JSON.stringify([token.shard, machineId]);
    const mark = this.marks.get(key);
    const passes = mark === undefined || isAbove(token, mark);
    if (passes) this.marks.set(key, token);
    const reply = await send(token);
    if (passes === (reply.code !== 'FAILED_PRECONDITION') && (reply.code === 'OK' || !passes || reply.code === 'NOT_FOUND')) return;
    const place = mark === undefined ? 'the first contact' : `${pair(token)} is ${passes ? 'above' : 'not above'} the mark ${pair(mark)}`;
    throw new Violation(`${passes ? 'OK' : 'FAILED_PRECONDITION'}: ${place} of shard ${token.shard} for ${machineId}`, reply.exchange.got, reply.exchange);
  }
}

function isAbove(token: Token, mark: Token): boolean {
  return token.epoch === mark.epoch ? token.sequence > mark.sequence : token.epoch > mark.epoch;
}

function pair({ epoch, sequence }: Token): string {
  return `(${epoch}, ${sequence})`;
}
