/**
 * Bytes that arrive in pieces, in one buffer. A list of pieces would cost a hundredfold for a client that sends
 * single bytes. The buffer grows with the bytes that arrived, never with the length that a client announced.
 */
const MIN_CAPACITY = 4096;

/** Copies bytes into memory that they do not share: a view of Node's pool would keep 64 KiB alive. */
export function copyOf(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  copy.set(bytes);
  return copy;
}

export class ReceiveBuffer {
  readonly #maxBytes: number;
  #buffer: Buffer | undefined;
  #length = 0;

  /** @param maxBytes largest capacity; the caller checks the limit before it appends */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
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
      // Often the only piece, so it is kept as it is, unless it is a small part of a large chunk.
      this.#buffer = 2 * length < piece.buffer.byteLength ? copyOf(piece) : piece;
    } else {
      if (length > this.#buffer.length) this.#grow(length);
      this.#buffer.set(piece, this.#length);
    }
    this.#length = length;
  }

  #grow(length: number): void {
    const capacity = Math.min(this.#maxBytes, Math.max(MIN_CAPACITY, 2 * length));
    const grown = Buffer.allocUnsafeSlow(capacity);
    grown.set(this.bytes);
    this.#buffer = grown;
  }
}
