/**
 * Splits the byte stream of a STOMP broker into frames, so that each SockJS message is one frame. A TCP chunk may end
 * anywhere, even within a character. A frame ends with NUL, and with `content-length` its body may contain NULs. Line
 * ends between frames are heart-beats. (STOMP 1.2, "Augmented BNF".)
 */
export const HEART_BEAT = '\n';

const LF = 10;
const CR = 13;
const NUL = 0;

/** Length of the head with its empty line; -1 if it is incomplete. */
function headLength(bytes: Buffer): number {
  const ends = ['\n\n', '\n\r\n'].map((end) => ({ end, at: bytes.indexOf(end) }));
  const [first] = ends.filter(({ at }) => at >= 0).toSorted((a, b) => a.at - b.at);
  return first === undefined ? -1 : first.at + first.end.length;
}

/** Length of the first frame without its NUL; -1 if it is incomplete. */
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

  /** @param limit maximal length of a frame, in bytes */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * Adds a chunk, and yields the frames that are complete with it, each with its NUL, and heart-beats.
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

  /** @returns whether there was one */
  #skipLineEnds(): boolean {
    let start = 0;
    while (this.#bytes[start] === LF || this.#bytes[start] === CR) start += 1;
    this.#bytes = this.#bytes.subarray(start);
    return start > 0;
  }
}
