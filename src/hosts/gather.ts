/**
 * Bytes that come in pieces, in one buffer: a list of the pieces would cost a client's one-byte chunks a
 * hundredfold. It grows with what has come, never with what was announced.
 */
const FIRST_CAPACITY = 4096;

/** A copy in memory of its own: in Node's pool a few bytes that wait would keep 64 KiB of it. */
export function copyOf(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  copy.set(bytes);
  return copy;
}

export class Gather {
  readonly #most: number;
  #buffer: Buffer | undefined;
  #length = 0;

  /** @param most how long it can become at most: the caller sees to that */
  constructor(most: number) {
    this.#most = most;
  }

  get length(): number {
    return this.#length;
  }

  get bytes(): Buffer {
    return this.#buffer?.subarray(0, this.#length) ?? Buffer.alloc(0);
  }

  append(piece: Buffer): void {
    const length = this.#length + piece.length;
    if (this.#buffer === undefined) {
      // Mostly the only one; but a small piece must not keep all of a large chunk.
      this.#buffer = 2 * length < piece.buffer.byteLength ? copyOf(piece) : piece;
    } else {
      if (length > this.#buffer.length) this.#grow(length);
      this.#buffer.set(piece, this.#length);
    }
    this.#length = length;
  }

  #grow(length: number): void {
    const capacity = Math.min(this.#most, Math.max(FIRST_CAPACITY, 2 * length));
    const grown = Buffer.allocUnsafeSlow(capacity);
    grown.set(this.bytes);
    this.#buffer = grown;
  }
}
