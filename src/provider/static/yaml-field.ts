import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Document, type Node } from 'yaml';
import { parseDurationMs } from '../../lib/duration.ts';

/** One thing wrong with a file: where, and what to do about it. */
export interface Problem {
  readonly line: number;
  /** Such as `machines[2].resources`; '' for the file as a whole. */
  readonly path: string;
  readonly text: string;
}

interface Source {
  readonly document: Document.Parsed;
  readonly lines: LineCounter;
  readonly problems: Problem[];
}

/**
 * A value in a YAML file that knows where it stands. Reading it as what it should be either gives that or notes a
 * problem with line, path and fix, and gives undefined: one reading finds every mistake of a file.
 */
export class YamlField {
  readonly path: string;
  readonly line: number;
  private readonly source: Source;
  private readonly node: Node | undefined;

  private constructor(source: Source, node: Node | null | undefined, path: string, line: number) {
    this.source = source;
    this.path = path;
    this.line = node?.range ? source.lines.linePos(node.range[0]).line : line;
    this.node = (isAlias(node) ? node.resolve(source.document) : node) ?? undefined;
  }

  /** The whole of a file. What YAML itself objects to is among the problems. */
  static parse(text: string): { readonly root: YamlField; readonly problems: Problem[] } {
    const lines = new LineCounter();
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
    const problems = document.errors.map(({ message, pos }) => ({ line: lines.linePos(pos[0]).line, path: '', text: `is not YAML: ${message}` }));
    const source = { document, lines, problems };
    return { root: new YamlField(source, document.contents, '', 1), problems };
  }

  bad(text: string): undefined {
    this.source.problems.push({ line: this.line, path: this.path, text });
    return undefined;
  }

  /** Written as `key:` or `key: null`: what is inherited is to go. */
  get isNull(): boolean {
    return this.node === undefined || (isScalar(this.node) && this.node.value === null);
  }

  /** The fields of a map; of `known` names only, if they are given. */
  map(known?: readonly string[]): Map<string, YamlField> | undefined {
    if (!isMap(this.node)) return this.bad(`must be a map (name: value), not ${this.kind()}`);
    const fields = new Map<string, YamlField>();
    for (const { key, value } of this.node.items) {
      const name = isScalar(key) ? (key.source ?? String(key.value)) : String(key);
      const at = isScalar(key) && key.range ? this.source.lines.linePos(key.range[0]).line : this.line;
      const field = new YamlField(this.source, value as Node | null, this.path === '' ? name : `${this.path}.${name}`, at);
      if (known && !known.includes(name)) field.bad(`is not known here; there are ${known.join(', ')}`);
      else fields.set(name, field);
    }
    return fields;
  }

  list(): YamlField[] | undefined {
    if (!isSeq(this.node)) return this.bad(`must be a list (- …), not ${this.kind()}`);
    return this.node.items.map((item, i) => new YamlField(this.source, item as Node, `${this.path}[${i}]`, this.line));
  }

  /** A scalar as it is written: `8`, `true` and `007` are the texts they look like. */
  text(): string | undefined {
    if (!isScalar(this.node) || this.node.value === null) return this.bad(`must be a text, not ${this.kind()}`);
    return typeof this.node.value === 'string' ? this.node.value : (this.node.source ?? String(this.node.value));
  }

  number(min: number, max = Infinity): number | undefined {
    const value = isScalar(this.node) ? this.node.value : undefined;
    if (typeof value === 'number' && value >= min && value <= max && Number.isFinite(value)) return value;
    return this.bad(`must be a number ${max === Infinity ? `of ${min} or more` : `from ${min} to ${max}`}, not ${this.kind()}`);
  }

  wholeNumber(min: number, max: number): number | undefined {
    const value = this.number(min, max);
    return value === undefined || Number.isInteger(value) ? value : this.bad(`must be a whole number, not ${value}`);
  }

  durationMs(minMs: number): number | undefined {
    const text = this.text();
    if (text === undefined) return undefined;
    const ms = parseDurationMs(text);
    if (ms === undefined) return this.bad(`${JSON.stringify(text)} is not a duration; write for instance 500ms, 30s or 5m`);
    return ms >= minMs ? ms : this.bad(`${text} is too short; at least ${minMs / 1_000}s`);
  }

  oneOf<const T extends string>(values: readonly T[]): T | undefined {
    const text = this.text();
    if (text === undefined) return undefined;
    return values.find((value) => value === text) ?? this.bad(`must be one of ${values.join(', ')}, not ${JSON.stringify(text)}`);
  }

  private kind(): string {
    if (isMap(this.node)) return 'a map';
    if (isSeq(this.node)) return 'a list';
    if (this.isNull) return 'nothing';
    return isScalar(this.node) ? JSON.stringify(this.node.value) : 'this';
  }
}
