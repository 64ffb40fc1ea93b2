/**
 * Splits the bytes of a STOMP broker into frames. Chunks of TCP end anywhere, even inside a character, and a SockJS
 * message has to be one frame. A frame ends with NUL, and one with `content-length` may have NULs in its body. Line ends
 * between frames are heart-beats. (STOMP 1.2, "Augmented BNF".)
 */
export const HEART_BEAT = '\n';

const LF = 10;
const CR = 13;
const NUL = 0;

/** Returns the length of the frame's head with its empty line, or -1 if it is incomplete. */
function headLength(bytes: Buffer): number {
  const ends = ['\n\n', '\n\r\n'].map((end) => ({ end, at: bytes.indexOf(end) }));
  const [first] = ends.filter(({ at }) => at >= 0).toSorted((a, b) => a.at - b.at);
  return first === undefined ? -1 : first.at + first.end.length;
}

/** Returns the length of the first frame without its NUL, or -1 if it is incomplete. */
function frameLength(bytes: Buffer): number {
  const head = headLength(bytes);
  if (head < 0) return -1;
  const announced = /^content-length:(\d+)\r?$/m.exec(bytes.toString('latin1', 0, head))?.[1];
  if (announced === undefined) return bytes.indexOf(NUL, head);
  const length = head + Number(announced);
  return bytes.length > length ? length : -1;
}

export class FrameCutter {
  readonly #limit: number;
  #bytes = Buffer.alloc(0);

  /** @param limit of one frame, in bytes */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * Adds a chunk. @returns the frames that it completes, each with its NUL, and heart-beats
   * @throws RangeError for a frame over the limit
   */
  *push(chunk: Buffer): Generator<string, void, undefined> {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    for (;;) {
      if (this.#skipLineEnds()) yield HEART_BEAT;
      const length = frameLength(this.#bytes);
      if (length < 0) break;
      yield this.#bytes.toString('utf8', 0, length + 1);
      this.#bytes = this.#bytes.subarray(length + 1);
    }
    if (this.#bytes.length > this.#limit) throw new RangeError('A frame is too long');
  }

  /** @returns whether there were heart-beats */
  #skipLineEnds(): boolean {
    let start = 0;
    while (this.#bytes[start] === LF || this.#bytes[start] === CR) start += 1;
    this.#bytes = this.#bytes.subarray(start);
    return start > 0;
  }
}
