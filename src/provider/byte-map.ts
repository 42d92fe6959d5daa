/** What is looked up by bytes that lie in several places of a message: no text is made of them. */

/** Bytes put one behind the other, and their hash (FNV-1a). */
export class ByteKey {
  bytes = new Uint8Array(1_024);
  length = 0;
  hash = 0;

  clear(): void {
    this.length = 0;
    this.hash = 0x811c9dc5;
  }

  append(source: Uint8Array, from: number, to: number): void {
    if (this.length + to - from > this.bytes.length) this.bytes = grown(this.bytes, this.length + to - from);
    const { bytes } = this;
    let { length, hash } = this;
    for (let at = from; at < to; at++) {
      const byte = source[at] as number;
      bytes[length++] = byte;
      hash = Math.imul(hash ^ byte, 0x01000193);
    }
    this.length = length;
    this.hash = hash;
  }
}

interface Entry<T> {
  readonly from: number;
  readonly length: number;
  readonly value: T;
}

/** Values by keys. It may forget: all, when the keys take more than so many bytes together; one, when another one has the same hash. */
export class ByteMap<T> {
  readonly #maxBytes: number;
  readonly #entries = new Map<number, Entry<T>>();
  /** All keys one behind the other. */
  #bytes = new Uint8Array(1_024);
  #used = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get({ bytes, length, hash }: ByteKey): T | undefined {
    const entry = this.#entries.get(hash);
    if (entry === undefined || entry.length !== length) return undefined;
    const known = this.#bytes;
    const { from, value } = entry;
    for (let i = 0; i < length; i++) if (known[from + i] !== bytes[i]) return undefined;
    return value;
  }

  set({ bytes, length, hash }: ByteKey, value: T): void {
    if (this.#used + length > this.#maxBytes) {
      this.#entries.clear();
      this.#used = 0;
    }
    if (this.#used + length > this.#bytes.length) this.#bytes = grown(this.#bytes, this.#used + length);
    this.#bytes.set(bytes.subarray(0, length), this.#used);
    this.#entries.set(hash, { from: this.#used, length, value });
    this.#used += length;
  }
}

function grown(bytes: Uint8Array, least: number): Uint8Array<ArrayBuffer> {
  const more = new Uint8Array(Math.max(2 * bytes.length, least));
  more.set(bytes);
  return more;
}
