/** Bootstrap tokens of machines that join: one for each, for as long as its attempt lasts. */
import { randomInt } from 'node:crypto';
import { upcomingNodeName } from '../api/names.ts';
import { apiVersionOf, SecretResource, UpcomingNodeResource } from '../api/resources.ts';
import type { Secret, UpcomingNode } from '../api/types.ts';
import { sleep, type Clock } from '../lib/clock.ts';
import { isNotFound } from '../runtime/client/api-error.ts';
import type { Permission } from '../runtime/permission.ts';
import { done, type KubeClient, type Reconciler, type Result, type Store } from '../runtime/types.ts';
import type { FleetNodes } from './fleet-nodes.ts';
import { BOOTSTRAP_TOKEN_ANNOTATION, MACHINE_ID_LABEL } from './labels.ts';

/** Where Kubernetes looks for them. */
export const TOKEN_NAMESPACE = 'kube-system';
/** What a cluster made by kubeadm lets join. */
export const TOKEN_GROUP = 'system:bootstrappers:kubeadm:default-node-token';

/** Granted only where a template asks for tokens. No reading: that would show every Secret of the namespace. */
export const bootstrapTokenPermissions: readonly Permission[] = [
  { type: SecretResource, verbs: ['create', 'delete'], scope: 'namespace', namespace: TOKEN_NAMESPACE, why: 'bootstrap tokens of machines that join; only with a template that asks for them' },
];

export interface BootstrapTokensDeps {
  readonly client: KubeClient;
  readonly clusterId: string;
  readonly upcoming: Store<UpcomingNode>;
  readonly fleet: Pick<FleetNodes, 'nodeOf'>;
  readonly clock: Clock;
  /** From 0 to below `limit`, not to be guessed. Default: node:crypto. */
  readonly randomBelow?: (limit: number) => number;
}

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789';
const ID = /^[a-z0-9]{6}$/;
const ANNOUNCED_WITHIN_MS = 5_000;
const LOOK_MS = 100;
/** The machine joins no more. Ready is not among them: a provider calls a machine so that has only been told how to join. */
const OVER: readonly (string | undefined)[] = ['Draining', 'Drained', 'Failed'];

/**
 * A token's id stands at the UpcomingNode of its machine before the Secret exists, and the UpcomingNode owns the Secret: whoever
 * restarts finds what there is, and what is forgotten goes with its machine. The secret part is in the Secret and in the
 * machine's blob, nowhere else.
 */
export class BootstrapTokens implements Reconciler {
  readonly name = 'bootstrap-token';
  private readonly deps: BootstrapTokensDeps;
  private readonly randomBelow: (limit: number) => number;

  constructor(deps: BootstrapTokensDeps) {
    this.deps = deps;
    this.randomBelow = deps.randomBelow ?? ((limit) => randomInt(limit));
  }

  /** A new token for the machine, `id.secret`; one that it had before is void from then on. Throws what can be told to the shard. */
  async mint(machineId: string, ttlSeconds: number, signal?: AbortSignal): Promise<string> {
    const { client, clock } = this.deps;
    if (machineId === '') throw new Error('the shard does not say which machine the bootstrap token is for: it is older than this operator');
    const owner = await this.announced(machineId, signal);
    await this.revoke(owner);
    const [id, secret] = [this.text(6), this.text(16)];
    await client.patch(UpcomingNodeResource, { name: owner.metadata.name }, { metadata: { annotations: { [BOOTSTRAP_TOKEN_ANNOTATION]: id } } }, { ...(signal && { signal }) });
    await client.create<Secret>(SecretResource, this.secretOf(owner, machineId, id, secret, clock.now() + ttlSeconds * 1_000), { ...(signal && { signal }) });
    return `${id}.${secret}`;
  }

  /** The key is a machine id. */
  async reconcile(machineId: string): Promise<Result> {
    const { client, upcoming, fleet } = this.deps;
    const un = upcoming.get(upcomingNodeName(machineId));
    if (!un || tokenIdOf(un) === undefined || !(OVER.includes(un.status?.phase) || fleet.nodeOf(machineId))) return done;
    await this.revoke(un);
    await client.patch(UpcomingNodeResource, { name: un.metadata.name }, { metadata: { annotations: { [BOOTSTRAP_TOKEN_ANNOTATION]: null } } }).catch(ignoreAbsence);
    return done;
  }

  private async revoke(un: UpcomingNode): Promise<void> {
    const id = tokenIdOf(un);
    if (id !== undefined) await this.deps.client.delete(SecretResource, { namespace: TOKEN_NAMESPACE, name: secretName(id) });
  }

  /** The request may be faster than the news of the machine. */
  private async announced(machineId: string, signal?: AbortSignal): Promise<UpcomingNode> {
    const { upcoming, clock } = this.deps;
    for (const end = clock.monotonic() + ANNOUNCED_WITHIN_MS; ; await sleep(clock, LOOK_MS, signal)) {
      const un = upcoming.get(upcomingNodeName(machineId));
      if (un?.metadata.uid !== undefined) return un;
      if (clock.monotonic() >= end) throw new Error(`machine ${machineId} has no UpcomingNode yet, which is to own its bootstrap token; ask again`);
    }
  }

  private secretOf({ metadata }: UpcomingNode, machineId: string, id: string, secret: string, expiresAt: number): Secret {
    const data = {
      'token-id': id, 'token-secret': secret, expiration: new Date(expiresAt).toISOString().replace(/\.\d+Z$/, 'Z'),
      'usage-bootstrap-authentication': 'true', 'usage-bootstrap-signing': 'true', 'auth-extra-groups': TOKEN_GROUP,
      description: `BigFleet: machine ${machineId} joins cluster ${this.deps.clusterId}`,
    };
    return {
      apiVersion: 'v1', kind: 'Secret', type: 'bootstrap.kubernetes.io/token',
      metadata: {
        name: secretName(id), namespace: TOKEN_NAMESPACE, labels: { 'app.kubernetes.io/managed-by': 'bigfleet' }, annotations: { [MACHINE_ID_LABEL]: machineId },
        ownerReferences: [{ apiVersion: apiVersionOf(UpcomingNodeResource), kind: UpcomingNodeResource.kind, name: metadata.name, uid: metadata.uid ?? '' }],
      },
      data: Object.fromEntries(Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')])),
    };
  }

  private text(length: number): string {
    return Array.from({ length }, () => ALPHABET[this.randomBelow(ALPHABET.length)]).join('');
  }
}

/** Whatever stands there: it must not become the name of another Secret. */
function tokenIdOf(un: UpcomingNode): string | undefined {
  const id = un.metadata.annotations?.[BOOTSTRAP_TOKEN_ANNOTATION];
  return id !== undefined && ID.test(id) ? id : undefined;
}

function secretName(id: string): string {
  return `bootstrap-token-${id}`;
}

function ignoreAbsence(error: unknown): void {
  if (!isNotFound(error)) throw error;
}
