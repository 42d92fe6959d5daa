/** Bodies of requests. */
import type { IncomingMessage } from 'node:http';
import { parse as parseYaml } from 'yaml';
import { isObject } from '../json.ts';
import type { JsonObject } from '../json.ts';
import { badRequest, StatusError } from '../status-error.ts';

const MAX_BODY_BYTES = 3 * 1024 * 1024;

export function contentType(request: IncomingMessage): string {
  return (request.headers['content-type'] ?? '').split(';')[0]!.trim();
}

/** The body as an object, in JSON or YAML by its content type. */
export function parseObject(request: IncomingMessage, body: Buffer): JsonObject {
  const type = contentType(request);
  if (type.includes('protobuf') || type.includes('cbor')) throw new StatusError(415, 'UnsupportedMediaType', `the body of the request was in an unknown format - accepted media types include: application/json, application/yaml`);
  return toObject(type.includes('yaml') ? parseYaml(body.toString('utf8')) : parseJson(body));
}

export function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8')) as unknown;
  } catch (error) {
    throw badRequest(`the body of the request is not JSON: ${(error as Error).message}`);
  }
}

export function toObject(value: unknown): JsonObject {
  if (!isObject(value)) throw badRequest('the body of the request must be an object');
  return value;
}

/** The whole body; 413 beyond the limit of the real server. */
export function readBody(request: IncomingMessage): Promise<Buffer> {
  if (request.method === 'GET' || request.method === 'HEAD') return Promise.resolve(Buffer.alloc(0));
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= MAX_BODY_BYTES) chunks.push(chunk);
    });
    request.on('end', () => {
      if (size > MAX_BODY_BYTES) reject(new StatusError(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${MAX_BODY_BYTES}`));
      else resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks));
    });
    request.on('error', reject);
    request.on('close', () => reject(new Error('the client went away')));
  });
}
