/** The port `Exchange` on a request and a response of `node:http`. */
import { type IncomingMessage, ServerResponse } from 'node:http';
import { type PeerCertificate, TLSSocket } from 'node:tls';
import type { SockJSError } from '../../base/errors.ts';
import type { AnswerListener, BodyLimits, Exchange, HeaderList } from '../../http/exchange.ts';
import { MAX_MEMOIZED_BYTES, memoizeLast } from '../../base/memoize.ts';
import { readBody } from './request-body.ts';
import { WriteWatchdog } from './write-watchdog.ts';

/** The part of a request target that routes look at; `http://host/path` counts as `/path`. */
export interface Target {
  readonly path: string;
  readonly query: string;
}

/** Takes a request target apart by hand: it never throws, whatever a client sends. */
export function splitTarget(url: string): Target {
  let start = 0;
  if (!url.startsWith('/')) {
    const scheme = url.indexOf('://');
    const slash = scheme < 0 ? -1 : url.indexOf('/', scheme + 3);
    start = slash < 0 ? url.length : slash;
  }
  const mark = url.indexOf('?', start);
  if (mark < 0) return { path: url.slice(start), query: '' };
  return { path: url.slice(start, mark), query: url.slice(mark + 1) };
}

/**
 * Whether an answer to a request before this one is still under way on its connection: then nothing else can
 * be said there. Node knows it, and tells nobody.
 */
export function isAnswering({ socket }: IncomingMessage): boolean {
  const message: unknown = Reflect.get(socket, '_httpMessage');
  return message !== undefined && message !== null;
}

/** A response on a socket that was to be upgraded and is not: it is answered and closed. */
export function responseOn(request: IncomingMessage): ServerResponse {
  const { socket } = request;
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket);
  // What Node's server does for other sockets: notice the client's end, tell of drains, heed timeouts.
  socket.resume();
  socket.on('end', () => socket.end());
  socket.on('drain', () => response.emit('drain'));
  socket.on('timeout', () => socket.destroy());
  // Not `end()`: a client that never hangs up would keep its half of the connection for ever.
  response.on('finish', () => socket.destroySoon());
  return response;
}

/** As many bytes as characters: plain ASCII, which need not be looked at to be written. */
function encodingOf(text: string, bytes: number): 'latin1' | 'utf8' {
  return bytes === text.length ? 'latin1' : 'utf8';
}

const LINE_END = '\r\n';

/** One chunk of a chunked answer (RFC 9112, 7.1) as one buffer. */
const chunkFor = memoizeLast((text: string): Buffer => {
  const length = Buffer.byteLength(text);
  const head = length.toString(16) + LINE_END;
  const chunk = Buffer.allocUnsafe(head.length + length + LINE_END.length);
  chunk.write(head, 'latin1');
  chunk.write(text, head.length, encodingOf(text, length));
  chunk.write(LINE_END, head.length + length, 'latin1');
  return chunk;
}, MAX_MEMOIZED_BYTES);

export class NodeExchange implements Exchange {
  readonly path: string;
  readonly query: string;
  readonly upgrade: Exchange['upgrade'];
  readonly #request: IncomingMessage;
  readonly #writeTimeout: number;
  #response: ServerResponse | undefined;
  #listener: AnswerListener | undefined;
  #progress: WriteWatchdog | undefined;
  #isUpgraded = false;
  /** The listener was told of the end. */
  #isOver = false;
  /** The head of a chunked answer is out, and so is all that was written with it. */
  #isFlowing = false;
  #unwritten = 0;

  constructor(
    request: IncomingMessage,
    response: ServerResponse | undefined,
    target: Target,
    writeTimeout: number,
    upgrade?: Exchange['upgrade'],
  ) {
    this.#request = request;
    this.#response = response;
    this.#writeTimeout = writeTimeout;
    this.path = target.path;
    this.query = target.query;
    if (typeof upgrade !== 'function') {
      this.upgrade = upgrade;
      return;
    }
    this.upgrade = (handler) => {
      this.#isUpgraded = true;
      upgrade(handler);
    };
  }

  get method(): string {
    return this.#request.method ?? '';
  }

  get rawHeaders(): readonly string[] {
    return this.#request.rawHeaders;
  }

  get remoteAddress(): string {
    return this.#request.socket.remoteAddress ?? '';
  }

  get encrypted(): boolean {
    return 'encrypted' in this.#request.socket;
  }

  get certificate(): PeerCertificate | undefined {
    const { socket } = this.#request;
    return socket instanceof TLSSocket && socket.authorized
      ? socket.getPeerCertificate()
      : undefined;
  }

  get isGone(): boolean {
    return this.#request.socket.destroyed || this.#response?.destroyed === true;
  }

  get isAnswered(): boolean {
    return this.#isUpgraded || this.isGone || this.#response?.headersSent === true;
  }

  get bufferedBytes(): number {
    return this.#response?.writableLength ?? 0;
  }

  get writable(): boolean {
    if (this.#isFlowing) return !this.#request.socket.writableNeedDrain;
    return this.#response?.writableNeedDrain !== true;
  }

  header(name: string): string | undefined {
    const value = this.#request.headers[name];
    return Array.isArray(value) ? value.join(', ') : value;
  }

  readBody(limits: BodyLimits): Promise<Buffer | SockJSError> {
    return readBody(this.#request, limits);
  }

  answer(status: number, headers: HeaderList, body?: string): void {
    if (this.isAnswered) return;
    const response = this.#answering();
    if (body === undefined) {
      if (status !== 204 && status !== 304) headers.push('Content-Length', '0');
      response.writeHead(status, headers);
      response.end();
    } else {
      const length = Buffer.byteLength(body);
      headers.push('Content-Length', String(length));
      response.writeHead(status, headers);
      response.end(body, encodingOf(body, length));
    }
  }

  begin(headers: HeaderList): void {
    if (this.isAnswered) return;
    const response = this.#answering();
    response.on('drain', () => this.#drained());
    response.writeHead(200, headers);
  }

  write(text: string): void {
    if (this.isGone) return;
    if (this.#write(text)) return;
    this.expectProgress();
    if (this.#isFlowing) this.#request.socket.once('drain', () => this.#drained());
  }

  // Once the head is out, a chunk is written past the response, which would hand its size, its data and its
  // end to the system apart; and in a broadcast all responses are given the same bytes.
  #write(text: string): boolean {
    const response = this.#response;
    if (response === undefined) return true;
    if (this.#isFlowing && response.socket !== null) return response.socket.write(chunkFor(text));
    this.#unwritten += 1;
    return response.write(text, () => this.#written());
  }

  /** Nothing that was given to the response is held back by it any more. */
  #written(): void {
    this.#unwritten -= 1;
    this.#isFlowing = this.#unwritten === 0 && this.#response?.chunkedEncoding === true;
  }

  end(): void {
    if (!this.isGone) this.#response?.end();
  }

  expectProgress(): void {
    this.#progress ??= new WriteWatchdog(this.#request.socket, this.#writeTimeout, () => {
      this.#listener?.stalled();
    });
    this.#progress.expect();
  }

  abort(): void {
    this.#request.socket.destroy();
  }

  watch(listener: AnswerListener): void {
    const response = this.#answering();
    this.#listener = listener;
    response.on('close', () => this.#over(response.writableFinished));
    if (response.socket !== null) return;
    // It waits behind other answers, and Node may forget it: when the next request is an upgrade.
    const { socket } = this.#request;
    const lost = (): void => this.#over(response.writableFinished);
    socket.setMaxListeners(0);
    socket.on('close', lost);
    response.on('close', () => socket.off('close', lost));
  }

  #over(isSent: boolean): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#progress?.end();
    if (isSent) this.#listener?.sent();
    else this.#listener?.gone();
  }

  #drained(): void {
    this.#progress?.end();
    if (this.#response?.writableEnded === false) this.#listener?.drained();
  }

  #answering(): ServerResponse {
    if (this.#response === undefined) this.#response = responseOn(this.#request);
    return this.#response;
  }
}
