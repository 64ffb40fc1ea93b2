/**
 * A gateway from HTTP/1.1 to HTTP/2, so that clients of HTTP/1.1 test a server of `node:http2`. Each request becomes a
 * stream of one connection, and each upgrade to a WebSocket an extended CONNECT (RFC 8441). Data of HTTP/2 are passed on
 * as they arrive, so that a chunk of a response is one write of the server.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type Http2Server,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  connect,
  constants,
  createServer as createHttp2Server,
} from 'node:http2';
import type { Duplex } from 'node:stream';
import type { AttachableServer } from '../src/http/server-host.ts';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const HOP_HEADERS = new Set([
  'connection',
  'host',
  'keep-alive',
  'proxy-connection',
  'sec-websocket-key',
  'te',
  'transfer-encoding',
  'upgrade',
]);

function requestHeaders(request: IncomingMessage, method: string): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = {
    ':method': method,
    ':path': request.url,
    ':scheme': 'http',
    ...(request.headers.host === undefined ? {} : { ':authority': request.headers.host }),
  };
  for (const [name, value] of Object.entries(request.headers)) {
    if (!HOP_HEADERS.has(name)) headers[name] = value;
  }
  return headers;
}

/** Returns the headers of a response as alternating names and values. */
function responseHeaderList(headers: IncomingHttpHeaders): string[] {
  return Object.entries(headers).flatMap(([name, value = []]) =>
    name.startsWith(':') ? [] : [value].flat().flatMap((single) => [name, single]),
  );
}

function ignore(): void {}

/** Resets the stream when the client of HTTP/1.1 disconnects, and the reverse. */
function tieTogether(socket: Duplex, stream: ClientHttp2Stream, isDone: () => boolean): void {
  socket.on('error', ignore);
  stream.on('error', ignore);
  const onClose = (): void => {
    if (!stream.closed) stream.close(constants.NGHTTP2_CANCEL);
  };
  socket.on('close', onClose);
  stream.on('close', () => {
    socket.off('close', onClose);
    if (!isDone()) socket.destroy();
  });
}

function passRequest(
  session: ClientHttp2Session,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const stream = session.request(requestHeaders(request, request.method ?? ''), {
    endStream: false,
  });
  tieTogether(request.socket.setMaxListeners(0), stream, () => response.writableEnded);
  request.pipe(stream);
  response.on('drain', () => stream.resume());
  stream.on('response', (headers) => {
    response.writeHead(Number(headers[':status']), responseHeaderList(headers));
    response.flushHeaders();
  });
  stream.on('data', (chunk: Buffer) => {
    if (!response.write(chunk)) stream.pause();
  });
  stream.on('end', () => {
    if (stream.rstCode === constants.NGHTTP2_NO_ERROR) response.end();
  });
}

function acceptHead(key: string, headers: IncomingHttpHeaders): string {
  const accept = createHash('sha1').update(`${key}${GUID}`).digest('base64');
  const own = ['Upgrade', 'websocket', 'Connection', 'Upgrade', 'Sec-WebSocket-Accept', accept];
  return headText('101 Switching Protocols', [...own, ...responseHeaderList(headers)]);
}

function headText(status: string, headers: readonly string[]): string {
  const lines = [`HTTP/1.1 ${status}`];
  for (let index = 0; index + 1 < headers.length; index += 2) {
    lines.push(`${headers[index]}: ${headers[index + 1]}`);
  }
  return `${lines.join('\r\n')}\r\n\r\n`;
}

function passUpgrade(
  session: ClientHttp2Session,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  const headers = requestHeaders(request, 'CONNECT');
  const stream = session.request(
    { ...headers, ':protocol': request.headers.upgrade },
    { endStream: false },
  );
  tieTogether(socket, stream, () => socket.writableEnded);
  stream.on('response', (response) => {
    const status = Number(response[':status']);
    const key = request.headers['sec-websocket-key'] ?? '';
    const list = [...responseHeaderList(response), 'Connection', 'close'];
    socket.write(status === 200 ? acceptHead(key, response) : headText(String(status), list));
    if (status === 200) {
      if (head.length > 0) socket.unshift(head);
      socket.pipe(stream);
    }
    stream.pipe(socket);
  });
}

/** Creates a gateway that starts, and ends, together with a server of HTTP/2 without TLS. */
export function createHttp2Gateway(back: Http2Server): Server {
  let session: ClientHttp2Session | undefined;
  const open = (): ClientHttp2Session => {
    if (session === undefined || session.closed || session.destroyed) {
      const address = back.address();
      assert.ok(typeof address === 'object' && address !== null);
      session = connect(`http://127.0.0.1:${address.port}`).on('error', ignore).setMaxListeners(0);
    }
    return session;
  };
  const gateway = createServer((request, response) => passRequest(open(), request, response));
  gateway.on('upgrade', (request, socket, head) => passUpgrade(open(), request, socket, head));
  gateway.on('listening', () => back.listen(0, '127.0.0.1'));
  gateway.on('close', () => {
    session?.destroy();
    back.close();
  });
  return gateway;
}

/** True if the tests of this process use HTTP/2 behind a gateway. */
export const IS_OVER_HTTP2: boolean = process.env['TEST_OVER_HTTP2'] !== undefined;

/** Servers of a test: clients connect to `front`, and routers are attached to `back`. */
export interface TestServers {
  readonly front: Server;
  readonly back: AttachableServer;
}

/** Returns one server for both, or with the environment variable `TEST_OVER_HTTP2` a server of HTTP/2 behind a gateway. */
export function createTestServers(): TestServers {
  if (!IS_OVER_HTTP2) {
    const server = createServer();
    return { front: server, back: server };
  }
  const back = createHttp2Server({ settings: { enableConnectProtocol: true } });
  return { front: createHttp2Gateway(back), back };
}
