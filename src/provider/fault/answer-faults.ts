import { ServerInterceptingCall, status, type ServerInterceptor } from '@grpc/grpc-js';
import { MachineList } from '../../api/gen/bigfleet/v1alpha1/provider.ts';

const rpcs = ['Create', 'Configure', 'Drain', 'Delete', 'Get', 'List'] as const;
type Rpc = (typeof rpcs)[number];

/** What becomes of the next answers of one RPC. */
export interface AnswerFault {
  readonly rpc: Rpc;
  /** How many answers. */
  readonly times: number;
  /** Nothing is done, and this status is the answer. */
  readonly code?: keyof typeof status;
  readonly message?: string;
  /** What was asked is done, and the answer gets lost: the caller sees UNAVAILABLE. */
  readonly lost?: boolean;
  /** List only: this share of the machines is left out, 1 = all of them. */
  readonly missing?: number;
}

/** Makes a provider lie on the wire: refuse, lose answers, leave machines out of Lists. */
export class AnswerFaults {
  private pending: AnswerFault[] = [];

  /** Replaces what is pending for the same RPC; `times: 0` calls it off. Throws an Error that names what is wrong. */
  set(value: unknown): AnswerFault {
    const fault = parseAnswerFault(value);
    this.pending = this.pending.filter(({ rpc }) => rpc !== fault.rpc);
    if (fault.times > 0) this.pending.push(fault);
    return fault;
  }

  readonly interceptor: ServerInterceptor = (method, call) => {
    const fault = this.take(method.path.slice(method.path.lastIndexOf('/') + 1));
    if (!fault) return new ServerInterceptingCall(call);
    const { code, message = 'injected', lost, missing } = fault;
    const refuse = (name: keyof typeof status): void => call.sendStatus({ code: status[name], details: message });
    if (code !== undefined) return new ServerInterceptingCall(call, { start: (next) => next({ onReceiveMetadata: () => refuse(code) }) });
    return new ServerInterceptingCall(call, {
      sendMessage: (answer: Buffer, next) => {
        if (lost) refuse('UNAVAILABLE');
        else next(missing === undefined ? answer : without(answer, missing));
      },
    });
  };

  private take(rpc: string): AnswerFault | undefined {
    const at = this.pending.findIndex((fault) => fault.rpc === rpc);
    const fault = this.pending[at];
    if (!fault) return undefined;
    if (fault.times === 1) this.pending.splice(at, 1);
    else this.pending[at] = { ...fault, times: fault.times - 1 };
    return fault;
  }
}

export function parseAnswerFault(value: unknown): AnswerFault {
  const { rpc, times = 1, code, message, lost, missing } = (value ?? {}) as Record<string, unknown>;
  if (!rpcs.includes(rpc as Rpc)) throw new Error(`rpc must be one of ${rpcs.join(', ')}`);
  if (!Number.isInteger(times) || (times as number) < 0) throw new Error('times must be a whole number of 0 or more');
  if (code !== undefined && (typeof code !== 'string' || !Object.hasOwn(status, code) || code === 'OK')) throw new Error('code must be the name of a gRPC status other than OK, such as RESOURCE_EXHAUSTED');
  if (missing !== undefined && (rpc !== 'List' || !((missing as number) > 0 && (missing as number) <= 1))) throw new Error('missing is for List: a share above 0 and up to 1');
  if (message !== undefined && typeof message !== 'string') throw new Error('message must be a string');
  if ([code !== undefined, lost === true, missing !== undefined].filter(Boolean).length !== 1) throw new Error('give exactly one of code, lost: true, missing');
  return {
    rpc: rpc as Rpc, times: times as number,
    ...(code !== undefined && { code: code as keyof typeof status }), ...(message !== undefined && { message }),
    ...(lost === true && { lost }), ...(missing !== undefined && { missing: missing as number }),
  };
}

function without(answer: Buffer, share: number): Buffer {
  const list = MachineList.decode(answer);
  const kept = list.machines.slice(0, Math.floor(list.machines.length * (1 - share)));
  return Buffer.from(MachineList.encode({ ...list, machines: kept }).finish());
}
