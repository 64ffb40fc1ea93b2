/** The port `Exchange` on a request and a response of `node:http`. */
import { type IncomingMessage, ServerResponse } from 'node:http';
import { type PeerCertificate, TLSSocket } from 'node:tls';
import { SockJSError } from '../errors.ts';
import type { AnswerListener, BodyLimits, Exchange, HeaderList } from '../http/exchange.ts';
import { Gather } from './gather.ts';
import { Progress } from './progress.ts';

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

export class NodeExchange implements Exchange {
  readonly path: string;
  readonly query: string;
  readonly upgrade: Exchange['upgrade'];
  readonly #request: IncomingMessage;
  readonly #writeTimeout: number;
  #response: ServerResponse | undefined;
  #listener: AnswerListener | undefined;
  #progress: Progress | undefined;
  #isUpgraded = false;
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
    return this.#response?.writableNeedDrain !== true;
  }

  header(name: string): string | undefined {
    const value = this.#request.headers[name];
    return Array.isArray(value) ? value.join(', ') : value;
  }

  async readBody(limits: BodyLimits): Promise<Buffer> {
    const request = this.#request;
    if (Number(request.headers['content-length'] ?? 0) > limits.bytes) throw tooLarge(limits);
    if (request.readableEnded) return Buffer.alloc(0); // Some middleware has eaten it.
    if (request.destroyed) throw aborted();
    const body = new Body(limits);
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise((resolve, reject) => {
        timer = setTimeout(() => reject(tooSlow(limits)), limits.milliseconds);
        request.on('data', (chunk: Buffer) => {
          const fault = body.add(chunk);
          if (fault !== undefined) reject(fault); // What still comes is read and dropped.
        });
        request.on('end', () => resolve(body.bytes));
        request.on('close', () => {
          if (!request.complete) reject(aborted());
        });
      });
    } finally {
      clearTimeout(timer);
      body.release();
    }
  }

  answer(status: number, headers: HeaderList, body?: string): void {
    if (this.isAnswered) return;
    if (body !== undefined) headers.push('Content-Length', String(Buffer.byteLength(body)));
    else if (status !== 204 && status !== 304) headers.push('Content-Length', '0');
    const response = this.#answering();
    response.writeHead(status, headers);
    response.end(body);
  }

  begin(headers: HeaderList): void {
    if (!this.isAnswered) this.#answering().writeHead(200, headers);
  }

  write(chunk: string): void {
    if (!this.isGone && this.#response?.write(chunk) === false) this.expectProgress();
  }

  end(): void {
    if (!this.isGone) this.#response?.end();
  }

  expectProgress(): void {
    this.#progress ??= new Progress(this.#request.socket, this.#writeTimeout, () => {
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
    response.on('drain', () => {
      this.#progress?.made();
      listener.drained();
    });
    response.on('close', () => {
      this.#progress?.end();
      if (response.writableFinished) listener.sent();
      else listener.gone();
    });
  }

  #answering(): ServerResponse {
    if (this.#response === undefined) this.#response = responseOn(this.#request);
    return this.#response;
  }
}

/** A body as it comes in, under its limits. */
class Body {
  readonly #limits: BodyLimits;
  #gathered: Gather;
  #isOver = false;

  constructor(limits: BodyLimits) {
    this.#limits = limits;
    this.#gathered = new Gather(limits.bytes);
  }

  get bytes(): Buffer {
    return this.#gathered.bytes;
  }

  /** @returns what is wrong, if it is beyond a limit: then nothing more is kept */
  add(chunk: Buffer): SockJSError | undefined {
    if (this.#isOver) return undefined;
    const { bytes, backlog, backlogBytes } = this.#limits;
    if (this.#gathered.length + chunk.length > bytes) return tooLarge(this.#limits);
    if (backlog.bytes + chunk.length > backlogBytes) return noMemory();
    backlog.add(chunk.length);
    this.#gathered.append(chunk);
    return undefined;
  }

  /** Nothing is kept, or counted, any more. */
  release(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#limits.backlog.add(-this.#gathered.length);
    this.#gathered = new Gather(0);
  }
}

function aborted(): SockJSError {
  return new SockJSError('ERR_BODY_ABORTED', 'The client went away.');
}

function tooLarge({ bytes }: BodyLimits): SockJSError {
  return new SockJSError('ERR_BODY_TOO_LARGE', `The body is longer than ${bytes} bytes.`);
}

function tooSlow({ milliseconds }: BodyLimits): SockJSError {
  return new SockJSError('ERR_BODY_TIMEOUT', `The body took longer than ${milliseconds} ms.`);
}

function noMemory(): SockJSError {
  return new SockJSError('ERR_NO_MEMORY', 'Too much is waiting in this process.');
}
