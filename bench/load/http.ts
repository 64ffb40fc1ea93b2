/** HTTP/1.1: each client has a raw socket. */
import { createHash } from 'node:crypto';
import { type Inbox, unexpected } from './inbox.ts';
import { NEWLINE } from './sockjs-frames.ts';
import { type ByteStream, RawSocket, type Take, type TlsProtocol } from './socket.ts';
import { RequestClient, type Wire } from './wire.ts';

const END_OF_HEAD = '\r\n\r\n';
const LINE_END = 2;
const KEY = 'AAAAAAAAAAAAAAAAAAAAAA==';
const ACCEPT = createHash('sha1')
  .update(`${KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
  .digest('base64');

/** The bytes of a request. */
export function post(path: string, body = ''): Buffer {
  const type = body === '' ? '' : 'Content-Type: text/plain\r\n';
  return Buffer.from(
    `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${type}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

export class HttpClient extends RequestClient {
  readonly #socket: RawSocket;
  #status = 0;
  /** Length of the current body: -1 without one, NaN for chunks. */
  #length = -1;

  /** @param inbox several connections of a session may share it */
  constructor(port: number, inbox: Inbox, tls?: TlsProtocol) {
    super(inbox);
    this.#socket = new RawSocket(port, (data) => this.#take(data), tls);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  protected send(bytes: Buffer): void {
    this.#socket.write(bytes);
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
    this.takeFrame(data, at, end);
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
    else this.takeFrame(data, begin, end);
    return end + LINE_END;
  }

  #finish(): void {
    this.#length = -1;
    this.respond(this.#status);
  }
}

/** Opens a WebSocket on a socket. @param take receives the bytes after the handshake */
function upgrade(port: number, path: string, take: Take, tls?: TlsProtocol): ByteStream {
  let isUpgraded = false;
  const takeAll: Take = (data) => {
    if (isUpgraded) return take(data);
    const end = data.indexOf(END_OF_HEAD);
    if (end === -1) return 0;
    const head = data.toString('latin1', 0, end);
    if (!head.startsWith('HTTP/1.1 101 ') || !head.includes(ACCEPT)) throw unexpected(data, 0, end);
    isUpgraded = true;
    const begin = end + END_OF_HEAD.length;
    return begin + take(data.subarray(begin));
  };
  const socket = new RawSocket(port, takeAll, tls);
  socket.write(
    Buffer.from(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n\r\n`,
    ),
  );
  return socket;
}

function http1(tls?: TlsProtocol): Wire {
  return {
    post,
    client: (port, inbox) => new HttpClient(port, inbox, tls),
    webSocket: (port, path, take) => upgrade(port, path, take, tls),
    close() {}, // Clients close their sockets.
  };
}

export const HTTP1 = http1();
export const HTTP1_TLS = http1('http/1.1');
