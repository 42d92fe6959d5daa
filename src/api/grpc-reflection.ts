import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema, type DescriptorProto, type FileDescriptorProto } from '@bufbuild/protobuf/wkt';
import { status, type Server, type ServerDuplexStream } from '@grpc/grpc-js';
import { fileDescriptorSet } from './gen/descriptors.ts';
import { ServerReflectionService, type ServerReflectionRequest, type ServerReflectionResponse } from './gen/grpc/reflection/v1/reflection.ts';

type Answer = NonNullable<ServerReflectionResponse['messageResponse']>;
type Call = ServerDuplexStream<ServerReflectionRequest, ServerReflectionResponse>;

const V1 = 'grpc.reflection.v1.ServerReflection';
/** The same messages under the name that older tools ask for. */
const V1_ALPHA = 'grpc.reflection.v1alpha.ServerReflection';

/** Adds server reflection, by which tools such as grpcurl learn what the server offers; `services` are full names. */
export function addReflection(server: Server, services: readonly string[]): void {
  const descriptors = new Descriptors();
  const names = [...services, V1, V1_ALPHA];
  const { serverReflectionInfo } = ServerReflectionService;
  for (const name of [V1, V1_ALPHA]) {
    server.addService(
      { serverReflectionInfo: { ...serverReflectionInfo, path: serverReflectionInfo.path.replace(V1, name) } },
      { serverReflectionInfo: (call: Call) => answerAll(call, (request) => descriptors.answer(request, names)) },
    );
  }
}

function answerAll(call: Call, answer: (request: ServerReflectionRequest) => Answer): void {
  call.on('data', (request: ServerReflectionRequest) => call.write({ validHost: request.host, originalRequest: request, messageResponse: answer(request) }));
  call.on('end', () => call.end());
  call.on('error', () => {}); // the caller has gone
}

class Descriptors {
  private readonly files = new Map<string, FileDescriptorProto>();
  /** The file that declares a symbol. */
  private readonly symbols = new Map<string, string>();

  constructor() {
    for (const file of fromBinary(FileDescriptorSetSchema, Buffer.from(fileDescriptorSet, 'base64')).file) {
      this.files.set(file.name, file);
      for (const symbol of symbolsOf(file)) this.symbols.set(symbol, file.name);
    }
  }

  answer({ messageRequest }: ServerReflectionRequest, services: readonly string[]): Answer {
    switch (messageRequest?.$case) {
      case 'listServices':
        return { $case: 'listServicesResponse', value: { service: services.map((name) => ({ name })) } };
      case 'fileByFilename':
        return this.file(messageRequest.value, messageRequest.value);
      case 'fileContainingSymbol':
        return this.file(this.symbols.get(messageRequest.value), messageRequest.value);
      case 'allExtensionNumbersOfType':
        if (!this.symbols.has(messageRequest.value)) return notFound(messageRequest.value);
        return { $case: 'allExtensionNumbersResponse', value: { baseTypeName: messageRequest.value, extensionNumber: [] } };
      case 'fileContainingExtension':
        return notFound(`extension ${messageRequest.value.extensionNumber} of ${messageRequest.value.containingType}`);
      case undefined:
        return { $case: 'errorResponse', value: { errorCode: status.INVALID_ARGUMENT, errorMessage: 'the request asks for nothing' } };
    }
  }

  private file(name: string | undefined, asked: string): Answer {
    const file = name === undefined ? undefined : this.files.get(name);
    if (!file) return notFound(asked);
    const all = new Set<FileDescriptorProto>();
    const add = (one: FileDescriptorProto): void => {
      if (all.has(one)) return;
      all.add(one);
      for (const dependency of one.dependency) add(this.files.get(dependency)!);
    };
    add(file);
    return { $case: 'fileDescriptorResponse', value: { fileDescriptorProto: [...all].map((one) => Buffer.from(toBinary(FileDescriptorProtoSchema, one))) } };
  }
}

function notFound(what: string): Answer {
  return { $case: 'errorResponse', value: { errorCode: status.NOT_FOUND, errorMessage: `there is no ${what} here` } };
}

function* symbolsOf(file: FileDescriptorProto): Iterable<string> {
  for (const message of file.messageType) yield* messageSymbols(file.package, message);
  for (const one of file.enumType) yield `${file.package}.${one.name}`;
  for (const service of file.service) {
    yield `${file.package}.${service.name}`;
    for (const method of service.method) yield `${file.package}.${service.name}.${method.name}`;
  }
}

function* messageSymbols(scope: string, message: DescriptorProto): Iterable<string> {
  const name = `${scope}.${message.name}`;
  yield name;
  for (const field of message.field) yield `${name}.${field.name}`;
  for (const one of message.enumType) yield `${name}.${one.name}`;
  for (const nested of message.nestedType) yield* messageSymbols(name, nested);
}
