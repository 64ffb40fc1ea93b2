import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type PeerCertificate, TLSSocket } from 'node:tls';
import type { SockJSError } from '../../base/errors.ts';
import type { ClientMemory } from '../../base/memory-budget.ts';
import { memoizeLast } from '../../base/memoize.ts';
import { type Payload, joinPieces, payloadLength } from '../../base/payload.ts';
import type {
  BodyLimits,
  Exchange,
  HeaderList,
  ResponseListener,
  Upgrade,
  WebSocketUpgrade,
} from '../../http/exchange.ts';
import type { ClientAddress } from '../../http/client-address.ts';
import type { WriteLimits } from '../../http/output-watchdog.ts';
import type { RequestTarget } from '../../http/prefix.ts';
import { watchUpgradedSocket } from './disconnect-watch.ts';
import { createResponse, freeHead, isChunked, needsDrain } from './node-internals.ts';
import { dropUnreadBody, readBody } from './request-body.ts';
import { isWriteWrapped, writeHead } from './response-head.ts';
import { countResponse } from './response-queue.ts';
import { WriteWatchdog } from './write-watchdog.ts';

const LINE_END = '\r\n';

/** A text with as many bytes as characters is ASCII, which `latin1` copies without conversion. */
function encodingOf(text: string, byteLength: number): 'latin1' | 'utf8' {
  return byteLength === text.length ? 'latin1' : 'utf8';
}

/** Encodes a short chunk of a chunked response (RFC 9112, section 7.1) as one buffer. */
const encodeChunk = memoizeLast((text: string): Buffer => {
  const length = Buffer.byteLength(text);
  const head = length.toString(16) + LINE_END;
  const chunk = Buffer.allocUnsafe(head.length + length + LINE_END.length);
  chunk.write(head, 'latin1');
  chunk.write(text, head.length, encodingOf(text, length));
  chunk.write(LINE_END, head.length + length, 'latin1');
  return chunk;
});

const CHUNK_END = Buffer.from(LINE_END);

/** Writes a chunk in pieces, which other responses share. */
function writeSharedChunk(socket: Socket, pieces: readonly Buffer[]): boolean {
  socket.cork();
  socket.write(Buffer.from(payloadLength(pieces).toString(16) + LINE_END));
  for (const piece of pieces) socket.write(piece);
  const isWritable = socket.write(CHUNK_END);
  socket.uncork();
  return isWritable;
}

/** Ends a response with pieces, which other responses share. */
function endShared(response: ServerResponse, pieces: readonly Buffer[]): void {
  response.cork();
  for (const piece of pieces) response.write(piece);
  response.end();
  response.uncork();
}

/** Implements `Exchange` with a request and a response of `node:http`. */
export class NodeExchange implements Exchange {
  readonly path: string;
  readonly query: string;
  readonly upgrade: Upgrade;
  readonly relayedClient: ClientAddress | undefined;
  /** For code that knows the host. */
  readonly request: IncomingMessage;
  readonly #writeLimits: WriteLimits;
  /** Undefined for an upgrade, until it gets a response. */
  #response: ServerResponse | undefined;
  #listener: ResponseListener | undefined;
  #watchdog: WriteWatchdog | undefined;
  #isUpgraded = false;
  #isFinished = false;
  /** True once the head of a chunked response is sent, with all chunks until then. Never if other code wraps `write`. */
  #isFlowing = false;
  #pendingWrites = 0;

  /** @param response undefined for an upgrade */
  constructor(
    request: IncomingMessage,
    response: ServerResponse | undefined,
    target: RequestTarget,
    writeLimits: WriteLimits,
    upgrade: Upgrade,
  ) {
    this.request = request;
    this.#response = response;
    this.#writeLimits = writeLimits;
    this.path = target.path;
    this.query = target.query;
    this.upgrade = upgrade.type === 'websocket' ? this.#wrapUpgrade(upgrade) : upgrade;
  }

  /** For code that knows the host. Undefined for an upgrade, until it gets a response. */
  get response(): ServerResponse | undefined {
    return this.#response;
  }

  get method(): string {
    return this.request.method ?? '';
  }

  get rawHeaders(): readonly string[] {
    return this.request.rawHeaders;
  }

  get remoteAddress(): string {
    return this.request.socket.remoteAddress ?? '';
  }

  get encrypted(): boolean {
    const { socket } = this.request;
    return 'encrypted' in socket && socket.encrypted === true; // Some hosts define it on every socket.
  }

  get certificate(): PeerCertificate | undefined {
    const { socket } = this.request;
    return socket instanceof TLSSocket && socket.authorized
      ? socket.getPeerCertificate()
      : undefined;
  }

  get isDisconnected(): boolean {
    return this.request.socket.destroyed || this.#response?.destroyed === true;
  }

  get isHandled(): boolean {
    return this.#isUpgraded || this.isDisconnected || this.#response?.headersSent === true;
  }

  get bufferedBytes(): number {
    return this.#response?.writableLength ?? 0;
  }

  get writable(): boolean {
    if (this.#isFlowing) return !this.request.socket.writableNeedDrain;
    return this.#response === undefined || !needsDrain(this.#response);
  }

  header(name: string): string | undefined {
    const value = this.request.headers[name];
    return Array.isArray(value) ? value.join(', ') : value;
  }

  readBody(limits: BodyLimits, memory: ClientMemory): Promise<Buffer | SockJSError> {
    return readBody(this.request, this.request.headers['content-length'], limits, memory);
  }

  respond(status: number, headers: HeaderList, body?: Payload): void {
    if (this.isHandled) return;
    const response = this.#openResponse();
    if (!countResponse(this.request, response)) return this.abort();
    dropUnreadBody(this.request);
    if (body === undefined) {
      if (status !== 204 && status !== 304) headers.push('Content-Length', '0');
      writeHead(response, status, headers);
      response.end();
    } else {
      const length = payloadLength(body);
      headers.push('Content-Length', String(length));
      writeHead(response, status, headers);
      if (typeof body === 'string') response.end(body, encodingOf(body, length));
      else endShared(response, body);
    }
    this.#watchRest(response);
  }

  startStream(headers: HeaderList, status = 200): void {
    if (this.isHandled) return;
    const response = this.#openResponse();
    if (!countResponse(this.request, response)) return this.abort();
    response.on('drain', () => this.#onDrain());
    writeHead(response, status, headers);
  }

  write(chunk: Payload): void {
    if (this.isDisconnected) return;
    if (this.#write(chunk)) return;
    this.#watchProgress();
    if (this.#isFlowing) this.request.socket.once('drain', () => this.#onDrain());
  }

  end(): void {
    if (this.isDisconnected || this.#response === undefined) return;
    this.#response.end();
    this.#watchRest(this.#response);
  }

  abort(): void {
    this.request.socket.destroy();
  }

  listen(listener: ResponseListener): void {
    const response = this.#openResponse();
    this.#listener = listener;
    this.#watchClose(response);
    dropUnreadBody(this.request);
  }

  /** Does nothing: Node stops reading the socket, which is only this request's. */
  delayBody(): void {}

  watchDisconnect(memory: ClientMemory, callback: () => void): () => void | Promise<void> {
    const { socket } = this.request;
    if (this.#response === undefined) return watchUpgradedSocket(socket, memory, callback);
    socket.setMaxListeners(0); // A connection may have many pipelined requests.
    socket.on('close', callback);
    return () => void socket.off('close', callback);
  }

  /** Wraps an upgrade, so that accepting it marks the exchange as handled. */
  #wrapUpgrade(upgrade: WebSocketUpgrade): Upgrade {
    return {
      type: 'websocket',
      accept: (memory) => {
        this.#isUpgraded = true;
        return upgrade.accept(memory);
      },
    };
  }

  /**
   * Writes a chunk. Once the head is sent, chunks bypass the response, which would write the size, the data and the end
   * of a chunk separately. In a broadcast all responses then write one shared buffer.
   */
  #write(chunk: Payload): boolean {
    const response = this.#response;
    if (response === undefined) return true;
    if (this.#isFlowing && response.socket !== null) {
      if (typeof chunk !== 'string') return writeSharedChunk(response.socket, chunk);
      return response.socket.write(encodeChunk(chunk));
    }
    this.#pendingWrites += 1;
    const bytes = typeof chunk === 'string' ? chunk : joinPieces(chunk);
    return response.write(bytes, () => this.#onWritten(response));
  }

  #onWritten(response: ServerResponse): void {
    this.#pendingWrites -= 1;
    freeHead(response);
    this.#isFlowing = this.#pendingWrites === 0 && isChunked(response) && !isWriteWrapped(response);
  }

  #onDrain(): void {
    this.#watchdog?.stop();
    if (this.#response?.writableEnded === false) this.#listener?.onDrain();
  }

  #onClose(response: ServerResponse): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    this.#watchdog?.stop();
    if (response.writableFinished) this.#listener?.onFinish();
    else this.#listener?.onDisconnect();
  }

  #watchClose(response: ServerResponse): void {
    response.on('close', () => this.#onClose(response));
    if (response.socket !== null) return;
    // The response is queued behind others of its connection. Node discards it if the next request is an upgrade, so
    // the end of the connection has to be watched too.
    const { socket } = this.request;
    const onSocketClose = (): void => this.#onClose(response);
    socket.setMaxListeners(0);
    socket.on('close', onSocketClose);
    response.on('close', () => socket.off('close', onSocketClose));
  }

  /** Limits the time for the rest of an ended response, if the system has not taken it at once. */
  #watchRest(response: ServerResponse): void {
    if (this.bufferedBytes === 0) return;
    if (this.#listener === undefined && this.#watchdog === undefined) this.#watchClose(response);
    this.#watchProgress();
  }

  /** Starts the watchdog. A response that is queued behind others is watched when its turn comes. */
  #watchProgress(): void {
    const response = this.#response;
    if (response?.socket === null) {
      if (response.listenerCount('socket') === 0)
        response.once('socket', () => this.#watchProgress());
      return;
    }
    this.#watchdog ??= new WriteWatchdog(this.request.socket, this.#writeLimits, () => {
      if (this.#listener === undefined) this.abort();
      else this.#listener.onWriteTimeout();
    });
    this.#watchdog.start();
  }

  #openResponse(): ServerResponse {
    return (this.#response ??= createResponse(this.request));
  }
}
