const MIN_CAPACITY_BYTES = 4096;

/** Copies bytes into unpooled memory. A view would keep the whole chunk of up to 64 KiB in memory. */
export function copyOf(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  copy.set(bytes);
  return copy;
}

/**
 * Collects bytes that arrive in pieces in one buffer. A list of pieces would take a hundred times the memory for a
 * client that sends single bytes. The buffer grows with the bytes that have arrived, never with the length that a
 * client announces.
 */
export class ReceiveBuffer {
  readonly #maxBytes: number;
  #buffer: Buffer | undefined;
  #length = 0;

  /** @param maxBytes maximum capacity. The caller checks the limit before it appends */
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
      // The first piece is often the only one. It is not copied, unless it is a small part of a large chunk.
      this.#buffer = 2 * length < piece.buffer.byteLength ? copyOf(piece) : piece;
    } else {
      if (length > this.#buffer.length) this.#grow(length);
      this.#buffer.set(piece, this.#length);
    }
    this.#length = length;
  }

  #grow(length: number): void {
    const capacity = Math.min(this.#maxBytes, Math.max(MIN_CAPACITY_BYTES, 2 * length));
    const grown = Buffer.allocUnsafeSlow(capacity);
    grown.set(this.bytes);
    this.#buffer = grown;
  }
}
