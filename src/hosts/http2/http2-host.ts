/** The host `node:http2`: turns streams into exchanges. */
import { maxHeaderSize } from 'node:http';
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { ClientMemory } from '../../base/memory-budget.ts';
import { REFUSALS } from '../../base/refusal.ts';
import {
  type Exchange,
  type ExchangeHandler,
  type HostSettings,
  NO_UPGRADE,
  type Upgrade,
} from '../../http/exchange.ts';
import { PLAIN_TEXT } from '../../http/headers.ts';
import type { RequestTarget } from '../../http/prefix.ts';
import type { WebSocketConnection } from '../../http/websocket-connection.ts';
import { acceptSubprotocol, checkVersion, headerOf } from '../../websocket/handshake.ts';
import { createWebSocket, negotiateUpgrade } from '../node/upgrade.ts';
import { CANCEL, REFUSED_STREAM } from './error-codes.ts';
import { Http2Exchange, type StreamRequest } from './http2-exchange.ts';
import { type Http2Peer, peerOf } from './peer.ts';
import { resetStream } from './reset-stream.ts';
import { StreamSocket } from './stream-socket.ts';
import { UnreadInput } from './unread-input.ts';

function ignore(): void {}

/** Accepts an extended CONNECT: RFC 8441, section 5. */
function accept(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  settings: HostSettings,
  extension: string | undefined,
  memory: ClientMemory,
): WebSocketConnection {
  const subprotocol = acceptSubprotocol(headerOf({ headers }, 'sec-websocket-protocol'));
  stream.respond({
    ':status': 200,
    ...(extension === undefined ? {} : { 'sec-websocket-extensions': extension }),
    ...(subprotocol === undefined ? {} : { 'sec-websocket-protocol': subprotocol }),
  });
  const socket = new StreamSocket(stream, UnreadInput.of(stream, memory));
  return createWebSocket(socket, settings, extension, memory);
}

function upgradeOf({ stream, headers }: StreamRequest, settings: HostSettings): Upgrade {
  const isWebSocket = headers[':method'] === 'CONNECT' && headers[':protocol'] === 'websocket';
  if (!isWebSocket) return NO_UPGRADE;
  return negotiateUpgrade({ headers }, checkVersion({ headers }), settings, (extension, memory) =>
    accept(stream, headers, settings, extension, memory),
  );
}

function createExchange(
  request: StreamRequest,
  target: RequestTarget,
  peer: Http2Peer,
  settings: HostSettings,
): Exchange {
  return new Http2Exchange(request, target, peer, settings, upgradeOf(request, settings));
}

/** Counts a stream for its connection. Returns undefined if it is closed, or reset because its client has no address. */
function admit({ stream }: StreamRequest, settings: HostSettings): Http2Peer | undefined {
  stream.on('error', ignore);
  const { session } = stream;
  if (stream.closed || session === undefined) {
    stream.destroy();
    return undefined;
  }
  const peer = peerOf(session);
  if (!peer.hasAddress) {
    resetStream(stream, CANCEL);
    return undefined;
  }
  peer.addStream();
  stream.on('close', () => peer.removeStream(settings));
  if (peer.hasTooManyStreams) resetStream(stream, REFUSED_STREAM);
  return peer;
}

/** Invites the client to send the body. Node throws if the stream is closed, as that of a refused request is. */
function continueRequest({ stream, headers }: StreamRequest): void {
  if (headers.expect?.toLowerCase() === '100-continue')
    stream.additionalHeaders({ ':status': 100 });
}

/** Limits headers as Node does for HTTP/1.1. Its own limit for HTTP/2 is 64 KiB, to which one repeated byte expands. */
function areTooLarge(rawHeaders: readonly string[]): boolean {
  let bytes = 0;
  for (const part of rawHeaders) bytes += part.length;
  return bytes > maxHeaderSize;
}

/** Passes a stream to its router. */
export function serveStream(
  handler: ExchangeHandler,
  request: StreamRequest,
  target: RequestTarget,
): void {
  const peer = admit(request, handler.settings);
  if (peer === undefined) return;
  const exchange = createExchange(request, target, peer, handler.settings);
  if (peer.hasTooManyStreams) return handler.refuse(exchange, 'streamLimit');
  if (areTooLarge(request.rawHeaders)) return handler.refuse(exchange, 'headersTooLarge');
  continueRequest(request);
  handler.handle(exchange);
}

/** Responds with 404 to a stream below no prefix, if the application has no listener for it. */
export function serveUnknownStream(settings: HostSettings, request: StreamRequest): void {
  const peer = admit(request, settings);
  if (peer === undefined) return;
  const { status, text } = REFUSALS.notFound;
  const exchange = createExchange(request, { path: '', query: '' }, peer, settings);
  exchange.respond(status, ['Content-Type', PLAIN_TEXT], text);
}
