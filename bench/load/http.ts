/** A client of the XHR transports on one raw socket, with one request at a time. */
import { type Inbox, unexpected } from './inbox.ts';
import { RawSocket } from './socket.ts';

const END_OF_HEAD = '\r\n\r\n';
const LINE_END = 2;
const NEWLINE = 10;
const OPEN = 111;
const MESSAGES = 97;
const HEARTBEAT = 104;

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
  /** Length of the current body: -1 without one, NaN for chunks. */
  #length = -1;
  #responded: (status: number) => void = () => {};
  #opened: () => void = () => {};

  /** @param inbox several connections of a session may share it */
  constructor(port: number, inbox: Inbox) {
    this.inbox = inbox;
    this.#socket = new RawSocket(port, (data) => this.#take(data));
  }

  /** Settles when the response is complete. */
  async request(bytes: Buffer, status: number): Promise<void> {
    this.#socket.write(bytes);
    const actual = await new Promise<number>((resolve) => {
      this.#responded = resolve;
    });
    if (actual !== status) throw new Error(`The status was ${actual} in place of ${status}.`);
  }

  /** Settles when the open frame has arrived. It ends a poll. */
  async open(bytes: Buffer, isPolling: boolean): Promise<void> {
    const opened = new Promise<void>((resolve) => {
      this.#opened = resolve;
    });
    if (isPolling) await this.request(bytes, 200);
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

  /** @returns the end of the head, or -1 if it is incomplete */
  #takeHead(data: Buffer, begin: number): number {
    const end = data.indexOf(END_OF_HEAD, begin);
    if (end === -1) return -1;
    const head = data.toString('latin1', begin, end);
    if (!head.startsWith('HTTP/1.1 ')) throw unexpected(data, begin, end);
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
    if (data[end - 1] !== NEWLINE) throw unexpected(data, begin, end);
    if (data[begin] === MESSAGES) this.inbox.take(data, begin, end - 1);
    else if (data[begin] === OPEN) this.#opened();
    else if (data[begin] !== HEARTBEAT) throw unexpected(data, begin, end);
  }

  #finish(): void {
    this.#length = -1;
    this.#responded(this.#status);
  }
}
