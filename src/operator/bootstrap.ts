import { NodeSelectorRequirement_Operator as Op } from '../api/gen/bigfleet/v1alpha1/capacity.ts';
import type { BootstrapBlobResponse, BootstrapRequest } from '../api/gen/bigfleet/v1alpha1/shard.ts';
import { compileBootstrapTemplate, type BootstrapInput, type ClusterInfo } from './bootstrap-template.ts';

const STUB_TTL_SECONDS = 600;
const TOKEN_TTL_SECONDS = 1_800;

const OPERATOR_TEXT: Readonly<Record<number, string>> = {
  [Op.OPERATOR_IN]: 'In',
  [Op.OPERATOR_NOT_IN]: 'NotIn',
  [Op.OPERATOR_EXISTS]: 'Exists',
  [Op.OPERATOR_DOES_NOT_EXIST]: 'DoesNotExist',
  [Op.OPERATOR_SAME]: 'Same',
};

const UNKNOWN: Readonly<Record<keyof ClusterInfo, string>> = {
  APIServer: 'the operator reaches the API server where machines do not; say with --bootstrap-api-server where they do',
  CACertHash: 'the operator was given no CA of the API server; put certificate-authority into its kubeconfig, or write the hash into the template',
};

export interface BootstrapOptions {
  readonly clusterId: string;
  /** The template's text; absent = a stub that joins nothing real. */
  readonly template?: string;
  /** How long what the template writes stays valid; 0 = unstated. Default 0 with a template, 600 for the stub, 1,800 with a token. */
  readonly ttlSeconds?: number;
  /** What is known of the cluster, for a template that asks for it. */
  readonly cluster?: Partial<ClusterInfo>;
  /** Makes a token for a machine, for a template that asks for one. What it throws is told to the shard. */
  readonly mint?: (machineId: string, ttlSeconds: number) => Promise<string>;
}

/**
 * Answers bootstrap requests (spec: cluster-operator 4.8). Throws at once if the template cannot be used; afterwards a
 * failing request is an answer with `error`, never an exception. The answer is at once where no token has to be made.
 */
export function createBootstrapRenderer(options: BootstrapOptions): (request: BootstrapRequest) => BootstrapBlobResponse | Promise<BootstrapBlobResponse> {
  const { clusterId, template, mint, cluster = {} } = options;
  const { render, needsToken, needsOfCluster } = template === undefined ? { render: stub, needsToken: false, needsOfCluster: [] } : compileBootstrapTemplate(template);
  for (const field of needsOfCluster) if (cluster[field] === undefined) throw new Error(`the bootstrap template asks for .${field}: ${UNKNOWN[field]}`);
  const ttl = options.ttlSeconds || (template === undefined ? STUB_TTL_SECONDS : needsToken ? TOKEN_TTL_SECONDS : 0);
  const encoder = new TextEncoder();
  const refused = (requestId: string, error: unknown): BootstrapBlobResponse =>
    ({ requestId, userData: new Uint8Array(), ttlSeconds: 0n, error: error instanceof Error ? error.message : String(error) });
  const answer = ({ requestId, requirements }: BootstrapRequest, token: string): BootstrapBlobResponse => {
    const input: BootstrapInput = {
      ClusterID: clusterId,
      BootstrapToken: token,
      APIServer: cluster.APIServer ?? '',
      CACertHash: cluster.CACertHash ?? '',
      TTLSeconds: ttl,
      Requirements: requirements.map((r) => ({ Key: r.key, Operator: OPERATOR_TEXT[r.operator] ?? 'Unspecified', Values: r.values })),
    };
    try {
      return { requestId, userData: encoder.encode(render(input)), ttlSeconds: BigInt(ttl), error: '' };
    } catch (error) {
      return refused(requestId, error);
    }
  };
  if (!needsToken) return (request) => answer(request, '');
  if (!mint) throw new Error('the bootstrap template asks for a token, and nothing here can make one');
  return (request) => mint(request.machineId, ttl).then((token) => answer(request, token), (error: unknown) => refused(request.requestId, error));
}

function stub(input: BootstrapInput): string {
  return `#cloud-config\n# Machine for cluster ${input.ClusterID}. No bootstrap template is configured, so nothing will join.\n`;
}
