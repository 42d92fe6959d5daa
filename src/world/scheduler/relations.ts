import type { LabelSelector, PodAffinityTerm } from '../../api/core.ts';
import type { ClusterView, NodeView, PlacementListener } from './cluster-view.ts';
import { selectorKey, selects } from './label-selector.ts';
import { matchesNodeAffinity } from './node-filter.ts';
import type { PodShape } from './pod-shape.ts';

/** Pods that one selector picks, counted per Node and kept up to date. */
interface Group {
  readonly namespace: string;
  readonly selector: LabelSelector | undefined;
  readonly byNode: Map<string, number>;
}

/** A required anti-affinity term of Pods that are placed: it keeps out others, too. */
interface StandingTerm {
  readonly namespace: string;
  readonly term: PodAffinityTerm;
  readonly byNode: Map<string, number>;
}

export type NodeCheck = (node: NodeView) => string | undefined;

const SPREAD = "node(s) didn't match pod topology spread constraints";
const SPREAD_LABEL = `${SPREAD} (missing required label)`;
const AFFINITY = "node(s) didn't match pod affinity rules";
const ANTI_AFFINITY = "node(s) didn't match pod anti-affinity rules";
const STANDING_ANTI_AFFINITY = "node(s) didn't satisfy existing pods anti-affinity rules";

/** The rules that depend on where other Pods are: spread, Pod affinity and anti-affinity (required ones only). */
export class Relations implements PlacementListener {
  private readonly view: ClusterView;
  private readonly groups = new Map<string, Group>();
  private readonly standing = new Map<string, StandingTerm>();

  constructor(view: ClusterView) {
    this.view = view;
    view.onPlacement(this);
  }

  placed(shape: PodShape, node: string): void {
    this.count(shape, node, 1);
  }

  removed(shape: PodShape, node: string): void {
    this.count(shape, node, -1);
  }

  /** Whether the placement of others can matter to this Pod at all. */
  concern(shape: PodShape): boolean {
    return shape.relational || this.standingAgainst(shape).length > 0;
  }

  /** The checks for one attempt: counts are taken now and hold until the next placement. */
  checks(shape: PodShape): readonly NodeCheck[] {
    return [
      ...shape.spread.map((constraint): NodeCheck => {
        const domains = this.spreadDomains(shape, constraint.topologyKey, constraint.labelSelector);
        const self = selects(constraint.labelSelector, shape.labels) ? 1 : 0;
        const lowest = domains.size === 0 ? 0 : [...domains.values()].reduce((a, b) => Math.min(a, b));
        return (node) => {
          const domain = node.labels[constraint.topologyKey];
          if (domain === undefined) return SPREAD_LABEL;
          return (domains.get(domain) ?? 0) + self - lowest > constraint.maxSkew ? SPREAD : undefined;
        };
      }),
      ...shape.affinity.map((term): NodeCheck => {
        const domains = this.occupied(this.termGroup(shape, term).byNode, term.topologyKey);
        // The first of a group that wants to be together has nobody to join.
        const first = domains.size === 0 && termSelects(term, shape.namespace, shape);
        return (node) => {
          const domain = node.labels[term.topologyKey];
          return domain !== undefined && (first || domains.has(domain)) ? undefined : AFFINITY;
        };
      }),
      ...shape.antiAffinity.map((term) => this.keepOut(this.termGroup(shape, term).byNode, term.topologyKey, ANTI_AFFINITY)),
      ...this.standingAgainst(shape).map(({ byNode, term }) => this.keepOut(byNode, term.topologyKey, STANDING_ANTI_AFFINITY)),
    ];
  }

  private keepOut(byNode: ReadonlyMap<string, number>, topologyKey: string, reason: string): NodeCheck {
    const domains = this.occupied(byNode, topologyKey);
    return (node) => (domains.has(node.labels[topologyKey] ?? '') ? reason : undefined);
  }

  private occupied(byNode: ReadonlyMap<string, number>, topologyKey: string): Set<string> {
    const domains = new Set<string>();
    for (const name of byNode.keys()) {
      const domain = this.view.node(name)?.labels[topologyKey];
      if (domain !== undefined) domains.add(domain);
    }
    return domains;
  }

  private spreadDomains(shape: PodShape, topologyKey: string, selector: LabelSelector | undefined): Map<string, number> {
    const { byNode } = this.group(shape.namespace, selector);
    const domains = new Map<string, number>();
    for (const node of this.view.nodes()) {
      const domain = node.labels[topologyKey];
      if (domain === undefined || !node.known || !matchesNodeAffinity(shape, node)) continue;
      domains.set(domain, (domains.get(domain) ?? 0) + (byNode.get(node.name) ?? 0));
    }
    return domains;
  }

  private termGroup(shape: PodShape, term: PodAffinityTerm): Group {
    return this.group(term.namespaces?.[0] ?? shape.namespace, term.labelSelector);
  }

  private group(namespace: string, selector: LabelSelector | undefined): Group {
    const key = `${namespace}\n${selectorKey(selector)}`;
    const present = this.groups.get(key);
    if (present) return present;
    const group: Group = { namespace, selector, byNode: new Map() };
    for (const node of this.view.nodes()) {
      for (const shape of node.pods.values()) if (inGroup(group, shape)) bump(group.byNode, node.name, 1);
    }
    this.groups.set(key, group);
    return group;
  }

  private standingAgainst(shape: PodShape): StandingTerm[] {
    return [...this.standing.values()].filter(({ namespace, term, byNode }) => byNode.size > 0 && termSelects(term, namespace, shape));
  }

  private count(shape: PodShape, node: string, by: 1 | -1): void {
    for (const group of this.groups.values()) if (inGroup(group, shape)) bump(group.byNode, node, by);
    for (const term of shape.antiAffinity) {
      const key = JSON.stringify([shape.namespace, term]);
      const standing = this.standing.get(key) ?? { namespace: shape.namespace, term, byNode: new Map<string, number>() };
      this.standing.set(key, standing);
      bump(standing.byNode, node, by);
    }
  }
}

function inGroup(group: Group, shape: PodShape): boolean {
  return group.namespace === shape.namespace && selects(group.selector, shape.labels);
}

function termSelects(term: PodAffinityTerm, ownNamespace: string, shape: PodShape): boolean {
  return (term.namespaces ?? [ownNamespace]).includes(shape.namespace) && selects(term.labelSelector, shape.labels);
}

function bump(counts: Map<string, number>, key: string, by: number): void {
  const count = (counts.get(key) ?? 0) + by;
  if (count > 0) counts.set(key, count);
  else counts.delete(key);
}
