/** A client of the XHR transports on a raw socket that is kept: one request at a time, each frame a line. */
import { type Expected, Inbox, wrong } from './inbox.ts';
import { RawSocket } from './socket.ts';

const END_OF_HEAD = '\r\n\r\n';
const LINE_END = 2;
const NEWLINE = 10;
const OPEN = 111;
const MESSAGES = 97;
const HEARTBEAT_FRAME = 104;

/** The bytes of a request. */
export function post(path: string, body = ''): Buffer {
  const type = body === '' ? '' : 'Content-Type: text/plain\r\n';
  return Buffer.from(
    `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${type}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

export class HttpClient {
  readonly inbox: Inbox;
  readonly #socket: RawSocket;
  #status = 0;
  /** Of the body that is coming: -1 while there is none, NaN for chunks. */
  #length = -1;
  #answered: (status: number) => void = () => {};
  #opened: () => void = () => {};

  constructor(port: number, expected: Expected) {
    this.inbox = new Inbox(expected);
    this.#socket = new RawSocket(port, (data) => this.#take(data));
  }

  /** Settles once the answer has come whole. */
  async request(bytes: Buffer, status: number): Promise<void> {
    this.#socket.write(bytes);
    const got = await new Promise<number>((resolve) => {
      this.#answered = resolve;
    });
    if (got !== status) throw new Error(`The server answered ${got} instead of ${status}.`);
  }

  /** Settles once the frame has come that opens a session; a poll ends with it. */
  async open(bytes: Buffer, polls: boolean): Promise<void> {
    const opened = new Promise<void>((resolve) => {
      this.#opened = resolve;
    });
    if (polls) await this.request(bytes, 200);
    else this.#socket.write(bytes);
    await opened;
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #take(data: Buffer): number {
    let at = 0;
    while (at < data.length) {
      const end = this.#length === -1 ? this.#takeHead(data, at) : this.#takeBody(data, at);
      if (end === -1) break;
      at = end;
    }
    return at;
  }

  /** @returns where it ends, or -1 if that has not come */
  #takeHead(data: Buffer, begin: number): number {
    const end = data.indexOf(END_OF_HEAD, begin);
    if (end === -1) return -1;
    const head = data.toString('latin1', begin, end);
    if (!head.startsWith('HTTP/1.1 ')) throw wrong(data, begin, end);
    this.#status = Number(head.slice(9, 12));
    const length = /\r\nContent-Length: (\d+)/i.exec(head)?.[1];
    this.#length = length === undefined && this.#status !== 204 ? Number.NaN : Number(length ?? 0);
    if (this.#length === 0) this.#finish();
    return end + END_OF_HEAD.length;
  }

  #takeBody(data: Buffer, at: number): number {
    if (Number.isNaN(this.#length)) return this.#takeChunk(data, at);
    const end = at + this.#length;
    if (end > data.length) return -1;
    this.#takeFrame(data, at, end);
    this.#finish();
    return end;
  }

  #takeChunk(data: Buffer, at: number): number {
    const line = data.indexOf(NEWLINE, at);
    if (line === -1) return -1;
    const begin = line + 1;
    const end = begin + Number.parseInt(data.toString('latin1', at, line), 16);
    if (end + LINE_END > data.length) return -1;
    if (end === begin) this.#finish();
    else this.#takeFrame(data, begin, end);
    return end + LINE_END;
  }

  #takeFrame(data: Buffer, begin: number, end: number): void {
    if (data[end - 1] !== NEWLINE) throw wrong(data, begin, end);
    if (data[begin] === MESSAGES) this.inbox.take(data, begin, end - 1);
    else if (data[begin] === OPEN) this.#opened();
    else if (data[begin] !== HEARTBEAT_FRAME) throw wrong(data, begin, end);
  }

  #finish(): void {
    this.#length = -1;
    this.#answered(this.#status);
  }
}
