/**
 * The file template of bootstrap blobs: the part of Go's text/template that existing chart values use (spec:
 * cluster-operator 4.8). Fields, `$`, `range`, `if`/`else`, `len`, `index`, parentheses, comments and trim markers;
 * everything else is refused when the operator starts, not when a machine waits.
 */
export interface BootstrapInput {
  readonly ClusterID: string;
  /** `id.secret` of a token made for the machine. */
  readonly BootstrapToken: string;
  /** `host:port` at which machines reach the API server. */
  readonly APIServer: string;
  /** `sha256:…` of the public key of the API server's CA, as kubeadm pins it. */
  readonly CACertHash: string;
  /** How long it lasts. */
  readonly TTLSeconds: number;
  readonly Requirements: readonly { readonly Key: string; readonly Operator: string; readonly Values: readonly string[] }[];
}

/** What a machine needs to know of the cluster to join it. */
export type ClusterInfo = Pick<BootstrapInput, 'APIServer' | 'CACertHash'>;
const OF_CLUSTER: readonly (keyof ClusterInfo)[] = ['APIServer', 'CACertHash'];

export class TemplateError extends Error {
  override readonly name = 'TemplateError';
}

type Type = 'string' | 'int' | 'requirement' | 'root' | { readonly listOf: Type };
type Scope = { readonly root: unknown; readonly dot: unknown };
interface Expression {
  readonly type: Type;
  readonly evaluate: (scope: Scope) => unknown;
}
interface Types {
  readonly root: Type;
  readonly dot: Type;
}
type Node = (scope: Scope) => string;
interface Tag {
  readonly text: string;
  readonly line: number;
}
type Piece = { readonly literal: string } | { readonly tag: Tag };

const FIELDS: Readonly<Record<string, Readonly<Record<string, Type>>>> = {
  root: { ClusterID: 'string', BootstrapToken: 'string', APIServer: 'string', CACertHash: 'string', TTLSeconds: 'int', Requirements: { listOf: 'requirement' } },
  requirement: { Key: 'string', Operator: 'string', Values: { listOf: 'string' } },
};

export interface BootstrapTemplate {
  /** Throws when an index does not exist. */
  readonly render: (input: BootstrapInput) => string;
  /** Whether the text can come to the token, so that one must be made. */
  readonly needsToken: boolean;
  /** What of the cluster it can come to, which must be known. */
  readonly needsOfCluster: readonly (keyof ClusterInfo)[];
}

/** Parses and checks the text; throws a TemplateError that names the line. */
export function compileBootstrapTemplate(text: string): BootstrapTemplate {
  const parser = new Parser(pieces(text));
  const body = parser.block({ root: 'root', dot: 'root' }, []);
  const needsToken = parser.fields.has('BootstrapToken');
  return { render: (input) => body.node({ root: input, dot: input }), needsToken, needsOfCluster: OF_CLUSTER.filter((field) => parser.fields.has(field)) };
}

function pieces(text: string): Piece[] {
  const found: Piece[] = [];
  let at = 0;
  let trimNext = false;
  const literal = (end: number, trimEnd: boolean): void => {
    let part = text.slice(at, end);
    if (trimNext) part = part.trimStart();
    if (trimEnd) part = part.trimEnd();
    if (part) found.push({ literal: part });
  };
  for (;;) {
    const open = text.indexOf('{{', at);
    if (open < 0) break;
    const line = text.slice(0, open).split('\n').length;
    const close = text.indexOf('}}', open);
    if (close < 0) throw new TemplateError(`line ${line}: "{{" is never closed`);
    let inner = text.slice(open + 2, close);
    const trimsLeft = /^-\s/.test(inner);
    const trimsRight = /\s-$/.test(inner);
    literal(open, trimsLeft);
    inner = inner.slice(trimsLeft ? 1 : 0, trimsRight ? -1 : undefined).trim();
    if (!/^\/\*[\s\S]*\*\/$/.test(inner)) found.push({ tag: { text: inner, line } });
    at = close + 2;
    trimNext = trimsRight;
  }
  literal(text.length, false);
  return found;
}

class Parser {
  private readonly pieces: readonly Piece[];
  private at = 0;
  /** That any expression names. */
  readonly fields = new Set<string>();

  constructor(all: readonly Piece[]) {
    this.pieces = all;
  }

  /** Reads up to one of the `ends` keywords (or the end of the text if there is none) and says which it was. */
  block(types: Types, ends: readonly string[]): { node: Node; end: Tag | undefined } {
    const nodes: Node[] = [];
    while (this.at < this.pieces.length) {
      const piece = this.pieces[this.at++];
      if (!piece) break;
      if ('literal' in piece) {
        nodes.push(() => piece.literal);
        continue;
      }
      const keyword = /^[a-z]+/.exec(piece.tag.text)?.[0] ?? '';
      if (keyword === 'end' || keyword === 'else') {
        if (ends.includes(keyword)) return { node: join(nodes), end: piece.tag };
        throw new TemplateError(`line ${piece.tag.line}: unexpected {{${piece.tag.text}}}`);
      }
      nodes.push(this.action(piece.tag, keyword, types));
    }
    if (ends.length > 0) throw new TemplateError('a {{range}} or {{if}} has no {{end}}');
    return { node: join(nodes), end: undefined };
  }

  private action(tag: Tag, keyword: string, types: Types): Node {
    if (keyword === 'if') return this.conditional(tag, tag.text.slice(2), types);
    if (keyword === 'range') return this.range(tag, types);
    const value = expression(tag, tag.text, types, this.fields);
    if (value.type === 'root' || value.type === 'requirement') {
      throw new TemplateError(`line ${tag.line}: {{${tag.text}}} is not a text; name a field of it`);
    }
    return (scope) => print(value.evaluate(scope));
  }

  private conditional(tag: Tag, condition: string, types: Types): Node {
    const test = expression(tag, condition, types, this.fields);
    const then = this.block(types, ['else', 'end']);
    const otherwise = then.end ? this.otherwise(then.end, types) : () => '';
    return (scope) => (truthy(test.evaluate(scope)) ? then.node(scope) : otherwise(scope));
  }

  private otherwise(tag: Tag, types: Types): Node {
    if (tag.text === 'end') return () => '';
    if (tag.text === 'else') return this.block(types, ['end']).node;
    const chained = /^else\s+if\s+([\s\S]+)$/.exec(tag.text);
    if (!chained?.[1]) throw new TemplateError(`line ${tag.line}: {{${tag.text}}} is not supported`);
    return this.conditional(tag, chained[1], types);
  }

  private range(tag: Tag, types: Types): Node {
    const list = expression(tag, tag.text.slice('range'.length), types, this.fields);
    if (typeof list.type !== 'object') throw new TemplateError(`line ${tag.line}: range needs a list`);
    const body = this.block({ root: types.root, dot: list.type.listOf }, ['else', 'end']);
    const empty = body.end ? this.otherwise(body.end, types) : () => '';
    return (scope) => {
      const items = list.evaluate(scope) as readonly unknown[];
      return items.length === 0 ? empty(scope) : items.map((dot) => body.node({ root: scope.root, dot })).join('');
    };
  }
}

function expression(tag: Tag, text: string, types: Types, fields: Set<string>): Expression {
  const tokens = text.match(/\$?(?:\.[A-Za-z_]\w*)+|\$|\.|\(|\)|-?\d+|[^\s().$]+/g) ?? [];
  let at = 0;
  const refuse = (what: string): never => {
    throw new TemplateError(`line ${tag.line}: {{${tag.text}}}: ${what}; supported are fields, range, if, else, len and index`);
  };
  const operand = (): Expression => {
    const token = tokens[at++];
    if (token === undefined) return refuse('something is missing');
    if (token === '(') {
      const inner = call();
      if (tokens[at++] !== ')') return refuse('")" is missing');
      const names = tokens[at];
      if (!names?.startsWith('.') || names === '.') return inner;
      at++;
      return path(inner, names);
    }
    if (/^-?\d+$/.test(token)) return { type: 'int', evaluate: () => Number(token) };
    if (token === '.') return { type: types.dot, evaluate: (scope) => scope.dot };
    if (token === '$') return { type: types.root, evaluate: (scope) => scope.root };
    if (token.startsWith('$.')) return path({ type: types.root, evaluate: (scope) => scope.root }, token.slice(1));
    if (token.startsWith('.')) return path({ type: types.dot, evaluate: (scope) => scope.dot }, token);
    return refuse(`"${token}" is not understood`);
  };
  const path = (from: Expression, names: string): Expression =>
    names.split('.').slice(1).reduce<Expression>((owner, field) => {
      const type = typeof owner.type === 'string' ? FIELDS[owner.type]?.[field] : undefined;
      if (type === undefined) return refuse(`there is no field ${field}`);
      fields.add(field);
      return { type, evaluate: (scope) => (owner.evaluate(scope) as Record<string, unknown>)[field] };
    }, from);
  const call = (): Expression => {
    if (tokens[at] === 'len') {
      at++;
      const of = operand();
      if (of.type !== 'string' && typeof of.type !== 'object') return refuse('len needs a list or a text');
      // Go counts bytes of a string.
      return { type: 'int', evaluate: (scope) => { const v = of.evaluate(scope); return typeof v === 'string' ? Buffer.byteLength(v) : (v as unknown[]).length; } };
    }
    if (tokens[at] !== 'index') return operand();
    at++;
    const list = operand();
    const position = operand();
    if (typeof list.type !== 'object' || position.type !== 'int') return refuse('index needs a list and a number');
    return { type: list.type.listOf, evaluate: (scope) => element(list.evaluate(scope) as unknown[], position.evaluate(scope) as number, tag) };
  };
  const result = call();
  return at === tokens.length ? result : refuse(`"${tokens[at]}" is not understood`);
}

function element(list: readonly unknown[], position: number, tag: Tag): unknown {
  if (position < 0 || position >= list.length) {
    throw new TemplateError(`line ${tag.line}: {{${tag.text}}}: index ${position} of a list of ${list.length}`);
  }
  return list[position];
}

function join(nodes: readonly Node[]): Node {
  return (scope) => nodes.map((node) => node(scope)).join('');
}

function truthy(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : Boolean(value);
}

function print(value: unknown): string {
  return Array.isArray(value) ? `[${value.join(' ')}]` : String(value);
}
