import type { ServerHttp2Stream } from 'node:http2';
import { Readable } from 'node:stream';
import type { ClientMemory, MemoryReservation } from '../../base/memory-budget.ts';
import { copyOf } from '../../base/receive-buffer.ts';
import { chunksBuffered } from '../node/node-internals.ts';
import { ENHANCE_YOUR_CALM } from './error-codes.ts';
import { resetStream } from './reset-stream.ts';

const UNREAD = Symbol('UnreadInput');

declare module 'node:http2' {
  interface ServerHttp2Stream {
    [UNREAD]?: UnreadInput;
  }
}

/** Memory of a chunk in addition to its bytes. */
const CHUNK_OVERHEAD_BYTES = 400;

/**
 * Limits the memory of input that waits for its reader. Flow control limits its bytes, to 64 KiB or a few times that, but
 * Node keeps each chunk as a view of the whole read in which it has arrived: one waiting byte can hold 64 KiB of other
 * streams. Chunks are therefore copied, and their bytes and their number count in the memory budget. A stream that is
 * evicted is reset.
 */
export class UnreadInput {
  readonly #stream: ServerHttp2Stream;
  readonly #memory: ClientMemory;
  #reservation: MemoryReservation | undefined;
  #chunks = 0;

  private constructor(stream: ServerHttp2Stream, memory: ClientMemory) {
    this.#stream = stream;
    this.#memory = memory;
    stream[UNREAD] = this;
    stream.push = push;
    stream.on('close', () => this.#drop());
    // Chunks that have arrived together with the head.
    this.#chunks = chunksBuffered(stream);
    if (this.#chunks > 0) this.#count();
  }

  /** Starts to count the unread input of a stream, unless it is counted. */
  static of(stream: ServerHttp2Stream, memory: ClientMemory): UnreadInput {
    return stream[UNREAD] ?? new UnreadInput(stream, memory);
  }

  /** Called for each chunk that waits. */
  onUnread(): void {
    this.#chunks += 1;
    this.#count();
  }

  /** Calls `onRead` for each chunk from now on. */
  countReads(): void {
    this.#stream.on('data', () => this.onRead());
  }

  /** Called for each chunk that is read. */
  onRead(): void {
    if (this.#chunks === 0) return;
    this.#chunks -= 1;
    this.#count();
  }

  #count(): void {
    const { destroyed, readableLength } = this.#stream;
    if (destroyed) return;
    this.#reservation ??= this.#memory.reserve('delayedInput', () => this.#evict());
    const bytes = readableLength + this.#chunks * CHUNK_OVERHEAD_BYTES;
    if (!this.#reservation.resize(bytes)) this.#reservation.evict();
  }

  /** Frees the input of a closed stream, which a pending decision may keep. */
  #drop(): void {
    while (this.#stream.read() !== null);
    this.#reservation?.release();
  }

  #evict(): void {
    resetStream(this.#stream, ENHANCE_YOUR_CALM);
  }
}

/** All streams share this function, since closures would take more memory than the rest of `UnreadInput`. */
function push(this: ServerHttp2Stream, chunk: unknown, encoding?: BufferEncoding): boolean {
  const isUnread = this.readableFlowing !== true || this.readableLength > 0;
  if (!isUnread || !(chunk instanceof Buffer)) return callPush(this, chunk, encoding);
  const hasRoom = callPush(this, copyOf(chunk));
  this[UNREAD]?.onUnread();
  return hasRoom;
}

function callPush(stream: ServerHttp2Stream, chunk: unknown, encoding?: BufferEncoding): boolean {
  return Readable.prototype.push.call(stream, chunk, encoding);
}
