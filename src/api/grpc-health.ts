import { status, type sendUnaryData, type Server, type ServerUnaryCall, type ServerWritableStream } from '@grpc/grpc-js';
import { HealthCheckResponse_ServingStatus as ServingStatus, HealthService, type HealthCheckRequest, type HealthCheckResponse } from './gen/grpc/health/v1/health.ts';

/** gRPC's own health service (grpc.health.v1): for probes, load balancers and clients that ask before they call. */
export class GrpcHealth {
  private readonly services: ReadonlySet<string>;
  private readonly watchers = new Set<ServerWritableStream<HealthCheckRequest, HealthCheckResponse>>();
  private serving = true;

  /** All services share one state; the empty name is the server as a whole. */
  constructor(services: readonly string[]) {
    this.services = new Set(['', ...services]);
  }

  set(serving: boolean): void {
    if (serving === this.serving) return;
    this.serving = serving;
    for (const call of this.watchers) if (this.services.has(call.request.service)) call.write(this.answer());
  }

  addTo(server: Server): void {
    server.addService(HealthService, {
      check: (call: ServerUnaryCall<HealthCheckRequest, HealthCheckResponse>, callback: sendUnaryData<HealthCheckResponse>) => {
        const { service } = call.request;
        if (this.services.has(service)) callback(null, this.answer());
        else callback({ code: status.NOT_FOUND, details: `there is no service ${JSON.stringify(service)} here` });
      },
      watch: (call: ServerWritableStream<HealthCheckRequest, HealthCheckResponse>) => {
        this.watchers.add(call);
        const gone = (): void => void this.watchers.delete(call);
        call.on('cancelled', gone);
        call.on('error', gone);
        call.write(this.services.has(call.request.service) ? this.answer() : { status: ServingStatus.SERVICE_UNKNOWN });
      },
    });
  }

  /** Says NOT_SERVING and ends every watch: a server that shuts down would wait for them. */
  close(): void {
    this.set(false);
    for (const call of this.watchers) call.end();
    this.watchers.clear();
  }

  private answer(): HealthCheckResponse {
    return { status: this.serving ? ServingStatus.SERVING : ServingStatus.NOT_SERVING };
  }
}
