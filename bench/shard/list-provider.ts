/** A provider that has its answer ready, as a process of its own: what it takes to make a List is no part of what is measured. Prints its two ports. */
import { ServerCredentials, type ServerUnaryCall } from '@grpc/grpc-js';
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { CapacityProviderService, Machine, type ListFilter } from '../../src/api/gen/bigfleet/v1alpha1/provider.ts';
import { createGrpcServer, listen } from '../../src/api/grpc.ts';
import { wireMachine } from './list-machines.ts';

const machines = Number(process.argv[2]);
const list = { ...CapacityProviderService.list, responseSerialize: (bytes: Buffer): Buffer => bytes };
const ports = { same: await serve(listOf(false)), changed: await serve(listOf(true)) };
process.stdout.write(`${JSON.stringify(ports)}\n`);

function listOf(isChanged: boolean): Buffer {
  const parts: Uint8Array[] = [];
  for (let nth = 0; nth < machines; nth++) parts.push(new BinaryWriter().uint32(10).bytes(Machine.encode(wireMachine(nth, isChanged)).finish()).finish());
  return Buffer.concat(parts);
}

function serve(bytes: Buffer): Promise<number> {
  const server = createGrpcServer();
  server.addService({ list }, { list: (_call: ServerUnaryCall<ListFilter, Buffer>, answer: (error: null, bytes: Buffer) => void) => answer(null, bytes) });
  return listen(server, '127.0.0.1:0', ServerCredentials.createInsecure());
}
