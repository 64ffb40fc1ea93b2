import type { ServerHttp2Stream } from 'node:http2';

/**
 * Maximum number of bytes that Node has and has not sent. Node reports a write once all of it is sent, so the progress
 * of a client that reads a long one slowly would not show.
 */
const MAX_UNIT_BYTES = 16 * 1024;

/** Bytes that wait until Node has sent those before them. */
class WaitingBytes {
  readonly #chunks: Buffer[] = [];
  #byteLength = 0;

  get byteLength(): number {
    return this.#byteLength;
  }

  add(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#byteLength += chunk.length;
  }

  /** Removes and returns the first bytes, as pieces that share their memory. */
  take(maxBytes: number): readonly Buffer[] {
    const pieces: Buffer[] = [];
    let rest = maxBytes;
    let count = 0;
    for (const chunk of this.#chunks) {
      if (rest === 0) break;
      if (chunk.length > rest) {
        pieces.push(chunk.subarray(0, rest));
        this.#chunks[count] = chunk.subarray(rest);
        rest = 0;
        break;
      }
      pieces.push(chunk);
      rest -= chunk.length;
      count += 1;
    }
    this.#chunks.splice(0, count);
    this.#byteLength -= maxBytes - rest;
    return pieces;
  }
}

/** Writes to an HTTP/2 stream, and counts the bytes that are taken of it, also within long writes. */
export class StreamOutput {
  protected readonly stream: ServerHttp2Stream;
  readonly #onDrain: () => void;
  #bytesPassed = 0;
  /** Undefined while everything is passed on at once. */
  #waiting: WaitingBytes | undefined;
  #isEnding = false;

  /** @param onDrain called when everything is sent after `write` has returned `false` */
  constructor(stream: ServerHttp2Stream, onDrain: () => void) {
    this.stream = stream;
    this.#onDrain = onDrain;
  }

  /** Written bytes that the system has taken. */
  get bytesTaken(): number {
    return this.#bytesPassed - this.stream.writableLength;
  }

  /** Written bytes that the system has not taken. */
  get writableLength(): number {
    return this.stream.writableLength + (this.#waiting?.byteLength ?? 0);
  }

  get writableNeedDrain(): boolean {
    return this.#waiting !== undefined;
  }

  get writable(): boolean {
    return !this.#isEnding && this.stream.writable;
  }

  cork(): void {
    this.stream.cork();
  }

  uncork(): void {
    this.stream.uncork();
  }

  /** Returns `false` if the client falls behind. */
  write(bytes: Buffer): boolean {
    if (!this.writable) return false;
    if (this.#waiting === undefined) {
      if (this.stream.writableLength + bytes.length <= MAX_UNIT_BYTES) {
        this.#pass(bytes);
        return true;
      }
      this.#waiting = new WaitingBytes();
    }
    this.#waiting.add(bytes);
    if (this.stream.writableLength === 0) this.#passOn(this.#waiting);
    return false;
  }

  /**
   * Ends the stream once everything is sent. Ended earlier, it could close before the system has taken the last bytes,
   * without 'finish' and without an error, whether they arrive or not.
   */
  end(): void {
    this.#isEnding = true;
    if (this.writableLength === 0) this.stream.end();
  }

  #pass(bytes: Buffer): void {
    this.#bytesPassed += bytes.length;
    this.stream.write(bytes, this.#onSent);
  }

  /** Passes on as much as `MAX_UNIT_BYTES` allows. */
  #passOn(waiting: WaitingBytes): void {
    this.stream.cork();
    for (const piece of waiting.take(MAX_UNIT_BYTES)) this.#pass(piece);
    this.stream.uncork();
  }

  /** Called for each write that is sent, or whose stream has closed. */
  readonly #onSent = (error: Error | null | undefined): void => {
    const isClosed = error !== undefined && error !== null;
    if (isClosed || this.stream.writableLength > 0 || this.stream.writableEnded) return;
    const waiting = this.#waiting;
    if (waiting !== undefined && waiting.byteLength > 0) return this.#passOn(waiting);
    this.#waiting = undefined;
    if (this.#isEnding) this.stream.end();
    else if (waiting !== undefined) this.#onDrain();
  };
}
