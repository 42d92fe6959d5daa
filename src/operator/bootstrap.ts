import { NodeSelectorRequirement_Operator as Op } from '../api/gen/bigfleet/v1alpha1/capacity.ts';
import type { BootstrapBlobResponse, BootstrapRequest } from '../api/gen/bigfleet/v1alpha1/shard.ts';
import { compileBootstrapTemplate, type BootstrapInput } from './bootstrap-template.ts';

const STUB_TTL_SECONDS = 600n;

const OPERATOR_TEXT: Readonly<Record<number, string>> = {
  [Op.OPERATOR_IN]: 'In',
  [Op.OPERATOR_NOT_IN]: 'NotIn',
  [Op.OPERATOR_EXISTS]: 'Exists',
  [Op.OPERATOR_DOES_NOT_EXIST]: 'DoesNotExist',
  [Op.OPERATOR_SAME]: 'Same',
};

export interface BootstrapOptions {
  readonly clusterId: string;
  /** The template's text; absent = a stub that joins nothing real. */
  readonly template?: string;
  /** How long what the template writes stays valid; 0 = unstated. Default 0 with a template, 600 for the stub. */
  readonly ttlSeconds?: number;
}

/**
 * Answers bootstrap requests (spec: cluster-operator 4.8). Throws at once if the template cannot be used; afterwards a
 * failing request is an answer with `error`, never an exception.
 */
export function createBootstrapRenderer(options: BootstrapOptions): (request: BootstrapRequest) => BootstrapBlobResponse {
  const { clusterId, template } = options;
  const render = template === undefined ? stub : compileBootstrapTemplate(template);
  const ttlSeconds = BigInt(options.ttlSeconds ?? (template === undefined ? STUB_TTL_SECONDS : 0n));
  const encoder = new TextEncoder();
  return ({ requestId, requirements }) => {
    const input: BootstrapInput = {
      ClusterID: clusterId,
      Requirements: requirements.map((r) => ({ Key: r.key, Operator: OPERATOR_TEXT[r.operator] ?? 'Unspecified', Values: r.values })),
    };
    try {
      return { requestId, userData: encoder.encode(render(input)), ttlSeconds, error: '' };
    } catch (error) {
      return { requestId, userData: new Uint8Array(), ttlSeconds: 0n, error: error instanceof Error ? error.message : String(error) };
    }
  };
}

function stub(input: BootstrapInput): string {
  return `#cloud-config\n# Machine for cluster ${input.ClusterID}. No bootstrap template is configured, so nothing will join.\n`;
}
