/** The gRPC codes the contract uses. FAILED_PRECONDITION means fenced (or sent too late), and nothing else. */
export type RpcCode =
  | 'INVALID_ARGUMENT' | 'NOT_FOUND' | 'PERMISSION_DENIED' | 'FAILED_PRECONDITION' | 'UNIMPLEMENTED' | 'INTERNAL' | 'UNAVAILABLE';

/** A refusal with the gRPC code it is answered with. */
export class RpcError extends Error {
  readonly code: RpcCode;

  constructor(code: RpcCode, message: string) {
    super(message);
    this.name = 'RpcError';
    this.code = code;
  }
}
