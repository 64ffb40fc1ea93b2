/** Clients of HTTP/2, and single frames for hostile ones. */
import { once } from 'node:events';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type ClientSessionOptions,
  type Http2SecureServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type SecureClientSessionOptions,
  connect,
} from 'node:http2';
import type { Socket } from 'node:net';
import { RawConnection, type Target } from './raw-connection.ts';
import { RawWebSocket } from './raw-websocket.ts';
import { ResponseHead } from './raw-http.ts';
import type { TestScope } from './scope.ts';
import { listen } from './server.ts';

/** Starts a server of HTTP/2, which ends with all its connections at the end of the test. @returns the port */
export async function startHttp2Server(
  scope: TestScope,
  server: Http2Server | Http2SecureServer,
): Promise<number> {
  // A destroyed session of Node waits until its client has closed the socket.
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket));
  const port = await listen(server);
  scope.after(async () => {
    const closed = once(server, 'close');
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  });
  return port;
}

function ignore(): void {}

/** Opens a connection of HTTP/2, which closes at the end of the test. */
export async function http2Connection(
  scope: TestScope,
  url: string,
  options: ClientSessionOptions | SecureClientSessionOptions = {},
): Promise<ClientHttp2Session> {
  const session = connect(url, options);
  session.on('error', ignore);
  scope.after(() => session.destroy());
  await once(session, 'remoteSettings');
  return session;
}

export interface Http2Response {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Sends a request, and reads its whole response. */
export async function http2Request(
  session: ClientHttp2Session,
  headers: OutgoingHttpHeaders,
  body?: string,
): Promise<Http2Response> {
  const stream = session.request(headers);
  stream.end(body);
  let response: IncomingHttpHeaders = {};
  let text = '';
  stream.on('response', (received) => (response = received));
  stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  await once(stream, 'close');
  return { status: Number(response[':status']), headers: response, body: text };
}

/** Opens a stream by extended CONNECT, and waits for the head of its response. */
export async function extendedConnect(
  session: ClientHttp2Session,
  path: string,
  headers: OutgoingHttpHeaders = {},
): Promise<{ readonly stream: ClientHttp2Stream; readonly response: IncomingHttpHeaders }> {
  const stream = session.request(
    {
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':path': path,
      'sec-websocket-version': '13',
      ...headers,
    },
    { endStream: false },
  );
  stream.on('error', ignore);
  const [response] = (await once(stream, 'response')) as [IncomingHttpHeaders];
  return { stream, response };
}

/** Opens a WebSocket on a connection of HTTP/2. */
export async function http2WebSocket(
  session: ClientHttp2Session,
  path: string,
  headers?: OutgoingHttpHeaders,
): Promise<RawWebSocket> {
  const { stream, response } = await extendedConnect(session, path, headers);
  return new RawWebSocket(
    new RawConnection(stream),
    new ResponseHead(`HTTP/1.1 ${Number(response[':status'])} `, []),
  );
}

export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
};
export const END_STREAM = 1;
export const END_HEADERS = 4;

/** Encodes a frame: RFC 9113, section 4.1. */
export function encodeHttp2Frame(
  type: number,
  flags: number,
  stream: number,
  payload: Uint8Array = new Uint8Array(),
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** Encodes a number of four bytes, as WINDOW_UPDATE and RST_STREAM have it. */
export function encodeUint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Encodes an entry of SETTINGS: RFC 9113, section 6.5.1. */
export function encodeSetting(id: number, value: number): Buffer {
  return Buffer.concat([Buffer.from([0, id]), encodeUint32(value)]);
}

/** Encodes a text with its length: RFC 7541, section 5.2. */
function encodeText(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  const length: number[] = [];
  if (bytes.length < 127) length.push(bytes.length);
  else {
    length.push(127);
    let rest = bytes.length - 127;
    for (; rest >= 128; rest = Math.floor(rest / 128)) length.push((rest % 128) + 128);
    length.push(rest);
  }
  return Buffer.concat([Buffer.from(length), bytes]);
}

/** Encodes a header without indexing and Huffman code: RFC 7541, section 6.2.2. */
export function encodeHeader(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.from([0]), encodeText(name), encodeText(value)]);
}

/** Encodes headers with pseudo-headers. Without changes they are those of a GET request. */
export function encodeHead(
  path: string,
  changes: Readonly<Record<string, string | undefined>> = {},
): Buffer {
  const headers = {
    ':method': 'GET',
    ':scheme': 'http',
    ':authority': 'localhost',
    ':path': path,
    ...changes,
  };
  return Buffer.concat(
    Object.entries(headers).map(([name, value]) =>
      value === undefined ? Buffer.alloc(0) : encodeHeader(name, value),
    ),
  );
}

/** Encodes the headers of an extended CONNECT. */
export function encodeConnect(path: string): Buffer {
  return encodeHead(path, {
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    'sec-websocket-version': '13',
  });
}

/** Opens a connection on which a test writes every frame. @param settings payload of the first SETTINGS frame */
export function rawHttp2(scope: TestScope, target: Target, settings?: Uint8Array): RawConnection {
  const connection = new RawConnection(target);
  scope.after(() => connection.close());
  connection.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  connection.write(encodeHttp2Frame(FRAME.settings, 0, 0, settings));
  return connection;
}
