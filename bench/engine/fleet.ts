/**
 * The machines of a shape, as columns: the bench's own picture of the fleet. Machine objects are made only to be handed to
 * the engine and then dropped, so that what the engine keeps can be weighed. Labels and allocatable are shared by all
 * machines of a kind, as after a real ingest.
 */
import type { Assignment, CapacityType, EngineMachine, Intent, MachineState, ResourceVector } from '../../src/engine/types.ts';

export interface Kind {
  readonly instanceType: string;
  readonly zone: string;
  readonly capacityType: CapacityType;
  readonly labels: Readonly<Record<string, string>>;
  readonly allocatable: ResourceVector;
  readonly priceMicroUsdPerHour: number;
  readonly interruptionProbability: number;
}

const STATES: readonly MachineState[] = ['Speculative', 'Creating', 'Idle', 'Configuring', 'Configured', 'Draining', 'Deleting', 'Failed'];
const CODE = Object.fromEntries(STATES.map((state, code) => [state, code])) as Readonly<Record<MachineState, number>>;

export type IntentKind = 'none' | 'bind' | 'bindSent' | 'unbind' | 'release';
const INTENTS: readonly IntentKind[] = ['none', 'bind', 'bindSent', 'unbind', 'release'];

const NONE = -1;

interface Segment {
  readonly prefix: string;
  readonly first: number;
  count: number;
}

export class Fleet {
  readonly kinds: Kind[] = [];
  readonly assignments: Assignment[] = [];
  readonly clusters: string[] = [];
  readonly state: Uint8Array;
  readonly intent: Uint8Array;
  readonly kind: Uint16Array;
  readonly owner: Int32Array;
  readonly assigned: Int32Array;
  readonly price: Float64Array;
  readonly cpu: Float64Array;
  readonly memory: Float64Array;
  readonly #segments: Segment[] = [];
  readonly #byPrefix = new Map<string, Segment>();
  readonly #clusterIndex = new Map<string, number>();
  readonly #assignmentIndex = new Map<string, number>();
  #size = 0;

  constructor(capacity: number) {
    this.state = new Uint8Array(capacity);
    this.intent = new Uint8Array(capacity);
    this.kind = new Uint16Array(capacity);
    this.owner = new Int32Array(capacity).fill(NONE);
    this.assigned = new Int32Array(capacity).fill(NONE);
    this.price = new Float64Array(capacity);
    this.cpu = new Float64Array(capacity);
    this.memory = new Float64Array(capacity);
  }

  get size(): number {
    return this.#size;
  }

  /** Registers a kind; its index is what `add` takes. */
  addKind(kind: Kind): number {
    return this.kinds.push(kind) - 1;
  }

  /** Machines with one prefix are added one after the other and numbered from 0. */
  add(prefix: string, state: MachineState, kindIndex: number, assignment?: Assignment): number {
    const index = this.#size++;
    if (index >= this.state.length) throw new Error(`the fleet was made for ${this.state.length} machines`);
    let segment = this.#segments.at(-1);
    if (segment?.prefix !== prefix) {
      if (this.#byPrefix.has(prefix)) throw new Error(`machines "${prefix}…" must be added together`);
      segment = { prefix, first: index, count: 0 };
      this.#segments.push(segment);
      this.#byPrefix.set(prefix, segment);
    }
    segment.count++;
    const kind = this.#kindAt(kindIndex);
    this.kind[index] = kindIndex;
    this.price[index] = kind.priceMicroUsdPerHour;
    this.cpu[index] = kind.allocatable.find(([name]) => name === 'cpu')?.[1] ?? 0;
    this.memory[index] = kind.allocatable.find(([name]) => name === 'memory')?.[1] ?? 0;
    this.set(index, state, 'none', assignment);
    return index;
  }

  /** `assignment`: whom the machine serves or is to serve; undefined = nobody. */
  set(index: number, state: MachineState, intent: IntentKind, assignment: Assignment | undefined): void {
    const bound = state === 'Configuring' || state === 'Configured' || state === 'Draining';
    this.state[index] = CODE[state];
    this.intent[index] = INTENTS.indexOf(intent);
    this.assigned[index] = assignment === undefined ? NONE : this.#indexOfAssignment(assignment);
    this.owner[index] = bound && assignment !== undefined ? this.#indexOfCluster(assignment.cluster) : NONE;
  }

  stateOf(index: number): MachineState {
    return STATES[this.state[index] ?? 0] as MachineState;
  }

  intentOf(index: number): IntentKind {
    return INTENTS[this.intent[index] ?? 0] as IntentKind;
  }

  assignmentOf(index: number): Assignment | undefined {
    return this.assignments[this.assigned[index] ?? NONE];
  }

  id(index: number): string {
    let low = 0;
    let high = this.#segments.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#segments[middle] as Segment).first <= index) low = middle;
      else high = middle - 1;
    }
    const { prefix, first } = this.#segments[low] as Segment;
    return flat(`${prefix}${index - first}`);
  }

  indexOf(id: string): number {
    const digits = /[0-9]+$/.exec(id)?.[0] ?? '';
    const segment = this.#byPrefix.get(id.slice(0, id.length - digits.length));
    const number = Number(digits);
    if (segment === undefined || digits === '' || number >= segment.count) throw new Error(`no machine "${id}" is in the fleet`);
    return segment.first + number;
  }

  machine(index: number): EngineMachine {
    const kind = this.kindOf(index);
    const state = this.stateOf(index);
    const to = this.assignmentOf(index);
    const bound = this.owner[index] !== NONE;
    const intent = this.#intent(index, to);
    return {
      id: this.id(index),
      state,
      cluster: bound && to !== undefined ? to.cluster : '',
      instanceType: kind.instanceType,
      zone: kind.zone,
      capacityType: kind.capacityType,
      labels: kind.labels,
      allocatable: kind.allocatable,
      priceMicroUsdPerHour: this.price[index] as number,
      interruptionProbability: kind.interruptionProbability,
      ...(bound && to !== undefined && { assigned: to }),
      ...(intent !== undefined && { intent }),
      hold: false,
      stuck: false,
    };
  }

  kindOf(index: number): Kind {
    return this.#kindAt(this.kind[index] as number);
  }

  countByState(): Record<MachineState, number> {
    const counts = Object.fromEntries(STATES.map((state) => [state, 0])) as Record<MachineState, number>;
    for (let i = 0; i < this.#size; i++) counts[STATES[this.state[i] as number] as MachineState]++;
    return counts;
  }

  #intent(index: number, to: Assignment | undefined): Intent | undefined {
    const kind = this.intentOf(index);
    if (kind === 'none') return undefined;
    if (kind === 'unbind' || kind === 'release') return { kind };
    if (to === undefined) throw new Error(`machine ${this.id(index)} is to be bound, but to nobody`);
    return { kind: 'bind', to, configureSent: kind === 'bindSent' };
  }

  #kindAt(index: number): Kind {
    const kind = this.kinds[index];
    if (kind === undefined) throw new Error(`kind ${index} was never added`);
    return kind;
  }

  #indexOfCluster(name: string): number {
    return intern(this.#clusterIndex, name, () => this.clusters.push(name) - 1);
  }

  #indexOfAssignment(to: Assignment): number {
    const key = `${to.cluster}\n${to.fingerprint}\n${to.group}`;
    return intern(this.#assignmentIndex, key, () => this.assignments.push(to) - 1);
  }
}

function intern(known: Map<string, number>, key: string, add: () => number): number {
  let index = known.get(key);
  if (index === undefined) known.set(key, (index = add()));
  return index;
}

/** Text as it comes from a decoder: one piece, not a tree of concatenated ones, so that it weighs what it really weighs. */
function flat(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}
