/** Received messages of a client: counted, and compared byte by byte with the expected ones. */

/** Number of different texts of a client. They rotate, so that a lost or reordered message is noticed. */
export const ROTATION = 16;

const COMMA = 44;

/** The encoding of messages by a server. */
export interface Framing {
  readonly head: string;
  /** Text after the messages of a frame. */
  readonly tail: string;
  readonly quote: (text: string) => string;
}

/** Texts of one client. Clients send different ones, so that a cache of a server for one client does not help another. */
export type Texts = (client: number) => string[];

function numbered(client: number, write: (number: string) => string): string[] {
  return Array.from({ length: ROTATION }, (_, index) =>
    write(`${String(client).padStart(3, '0')}-${String(index).padStart(2, '0')}`),
  );
}

/** Plain letters. */
export function plainTexts(bytes: number): Texts {
  return (client) => numbered(client, (number) => number.padEnd(bytes, 'x'));
}

/** JSON, with quotes that a SockJS server has to escape. */
export function jsonTexts(bytes: number): Texts {
  const rows = [1, 2, 3, 4, 5, 6, 7].map((id) => ({ id, name: 'Ada Lovelace', active: true }));
  return (client) =>
    numbered(client, (number) => {
      const value = { number, rows, note: '' };
      value.note = 'x'.repeat(bytes - JSON.stringify(value).length);
      return JSON.stringify(value);
    });
}

/** The expected bytes of each text. */
export class Expected {
  readonly head: Buffer;
  readonly tail: Buffer;
  readonly texts: readonly Buffer[];

  constructor(framing: Framing, texts: readonly string[]) {
    this.head = Buffer.from(framing.head);
    this.tail = Buffer.from(framing.tail);
    this.texts = texts.map((text) => Buffer.from(framing.quote(text)));
  }
}

function nothing(): void {}

export class Inbox {
  readonly #expected: Expected;
  #next = 0;
  #missing = 0;
  #complete: () => void = nothing;

  constructor(expected: Expected) {
    this.#expected = expected;
  }

  /** Settles after `count` more messages. It has to be called before they can arrive. */
  async messages(count: number): Promise<void> {
    this.#missing += count;
    await new Promise<void>((resolve) => {
      this.#complete = resolve;
    });
  }

  /** Checks a frame with messages, which is `data` from `begin` to `end`. */
  take(data: Buffer, begin: number, end: number): void {
    const { head, tail, texts } = this.#expected;
    const last = end - tail.length;
    let at = this.#match(data, begin, end, head);
    for (;;) {
      at = this.#match(data, at, last, texts[this.#next]);
      this.#next = (this.#next + 1) % ROTATION;
      this.#missing -= 1;
      if (at === last) break;
      if (data[at] !== COMMA) throw unexpected(data, begin, end);
      at += 1;
    }
    this.#match(data, last, end, tail);
    if (this.#missing < 0) throw unexpected(data, begin, end);
    if (this.#missing === 0) this.#complete();
  }

  #match(data: Buffer, at: number, end: number, bytes: Buffer | undefined): number {
    const next = at + (bytes?.length ?? 0);
    const equal =
      bytes !== undefined && next <= end && data.compare(bytes, 0, bytes.length, at, next) === 0;
    if (!equal) throw unexpected(data, at, end);
    return next;
  }
}

export function unexpected(data: Buffer, begin: number, end: number): Error {
  return new Error(
    `Unexpected bytes: ${data.toString('latin1', begin, Math.min(end, begin + 200))}`,
  );
}
