/** HTTP/2: several clients share a connection. */
import {
  END_HEADERS,
  END_STREAM,
  FRAME,
  encodeHeader,
  encodeHttp2Frame,
} from '../../testkit/http2-client.ts';
import { HEAD_LENGTH, Http2Connection, type StreamListener } from './http2-connection.ts';
import type { Inbox } from './inbox.ts';
import { NEWLINE } from './sockjs-frames.ts';
import { type ByteStream, Receiver, type Take } from './socket.ts';
import { RequestClient, type Wire } from './wire.ts';

/** Encodes a head with the static table, RFC 7541, and literals that are not indexed. */
function encodeHead(method: Buffer, path: string, ...others: readonly Buffer[]): Buffer {
  return Buffer.concat([
    method,
    encodeHeader(':scheme', 'https'),
    encodeHeader(':authority', '127.0.0.1'),
    encodeHeader(':path', path),
    ...others,
  ]);
}

function encodePost(path: string, body = ''): Buffer {
  const head = encodeHead(
    encodeHeader(':method', 'POST'),
    path,
    ...(body === '' ? [] : [encodeHeader('content-type', 'text/plain')]),
    encodeHeader('content-length', String(Buffer.byteLength(body))),
  );
  const flags = END_HEADERS | (body === '' ? END_STREAM : 0);
  const headers = encodeHttp2Frame(FRAME.headers, flags, 0, head);
  if (body === '') return headers;
  return Buffer.concat([headers, encodeHttp2Frame(FRAME.data, END_STREAM, 0, Buffer.from(body))]);
}

function encodeConnect(path: string): Buffer {
  const head = encodeHead(
    encodeHeader(':method', 'CONNECT'),
    path,
    encodeHeader(':protocol', 'websocket'),
    encodeHeader('sec-websocket-version', '13'),
  );
  return encodeHttp2Frame(FRAME.headers, END_HEADERS, 0, head);
}

/** A WebSocket on a stream of a connection. */
class WebSocketStream implements ByteStream, StreamListener {
  readonly #connection: Http2Connection;
  readonly #stream: number;
  readonly #receiver: Receiver;
  #ended: (() => void) | undefined;
  #isEnded = false;

  constructor(connection: Http2Connection, path: string, take: Take) {
    this.#connection = connection;
    this.#receiver = new Receiver(take);
    this.#stream = connection.open(encodeConnect(path), 0, this);
  }

  write(data: Buffer): void {
    this.#connection.data(this.#stream, data);
  }

  async ended(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#ended = resolve;
      if (this.#isEnded) resolve();
    });
  }

  destroy(): void {
    this.#connection.reset(this.#stream);
  }

  onHead(status: number): void {
    if (status !== 200) throw new Error(`The status was ${status} in place of 200.`);
  }

  onData(data: Buffer): void {
    this.#receiver.receive(data);
  }

  onEnd(): void {
    this.#isEnded = true;
    if (this.#ended === undefined) throw new Error('The server closed a stream.');
    this.#ended();
  }
}

/** A client of the XHR transports. Each request is a stream of a connection. */
class StreamClient extends RequestClient implements StreamListener {
  readonly #connection: Http2Connection;
  #receiver = new Receiver((data) => this.#take(data));
  #stream = 0;
  #status = 0;

  constructor(connection: Http2Connection, inbox: Inbox) {
    super(inbox);
    this.#connection = connection;
  }

  destroy(): void {
    this.#connection.reset(this.#stream);
  }

  onHead(status: number): void {
    this.#status = status;
  }

  onData(data: Buffer): void {
    this.#receiver.receive(data);
  }

  onEnd(): void {
    this.respond(this.#status);
  }

  protected send(bytes: Buffer): void {
    const head = HEAD_LENGTH + bytes.readUIntBE(0, 3);
    const counted = Math.max(0, bytes.length - head - HEAD_LENGTH);
    this.#stream = this.#connection.open(bytes, counted, this);
  }

  #take(data: Buffer): number {
    let at = 0;
    for (;;) {
      const line = data.indexOf(NEWLINE, at);
      if (line === -1) return at;
      this.takeFrame(data, at, line + 1);
      at = line + 1;
    }
  }
}

class Http2Wire implements Wire {
  readonly #maxClients: number;
  readonly #isSecure: boolean;
  #connections: Http2Connection[] = [];
  #clients = 0;

  constructor(maxClients: number, isSecure: boolean) {
    this.#maxClients = maxClients;
    this.#isSecure = isSecure;
  }

  post(path: string, body?: string): Buffer {
    return encodePost(path, body);
  }

  client(port: number, inbox: Inbox): RequestClient {
    return new StreamClient(this.#connection(port), inbox);
  }

  webSocket(port: number, path: string, take: Take): ByteStream {
    return new WebSocketStream(this.#connection(port), path, take);
  }

  close(): void {
    for (const connection of this.#connections) connection.destroy();
    this.#connections = [];
  }

  /** Returns the newest connection, or another one if it has its clients. */
  #connection(port: number): Http2Connection {
    const last = this.#connections.at(-1);
    const isFull = this.#clients % this.#maxClients === 0;
    this.#clients += 1;
    if (last !== undefined && !isFull) return last;
    const connection = new Http2Connection(port, this.#isSecure);
    this.#connections.push(connection);
    return connection;
  }
}

/** HTTP/2 with prior knowledge, without TLS. @param maxClients clients that share a connection */
export function http2(maxClients: number): Wire {
  return new Http2Wire(maxClients, false);
}

/** HTTP/2 over TLS. @param maxClients clients that share a connection */
export function http2Tls(maxClients: number): Wire {
  return new Http2Wire(maxClients, true);
}
