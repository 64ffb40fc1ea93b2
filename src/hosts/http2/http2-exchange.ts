import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { PeerCertificate } from 'node:tls';
import type { SockJSError } from '../../base/errors.ts';
import type { ClientMemory } from '../../base/memory-budget.ts';
import { memoizeLast } from '../../base/memoize.ts';
import { type Payload, payloadLength } from '../../base/payload.ts';
import type {
  BodyLimits,
  Exchange,
  HeaderList,
  ResponseListener,
  Upgrade,
} from '../../http/exchange.ts';
import { OutputWatchdog, type WriteLimits } from '../../http/output-watchdog.ts';
import type { RequestTarget } from '../../http/prefix.ts';
import { readBody } from '../node/request-body.ts';
import { CANCEL } from './error-codes.ts';
import { headerOf, requestHeaderList, responseHeaders } from './header-lists.ts';
import type { Http2Peer } from './peer.ts';
import { resetStream } from './reset-stream.ts';
import { type StreamListener, listenToStream } from './stream-listener.ts';
import { StreamOutput } from './stream-output.ts';
import { UnreadInput } from './unread-input.ts';

/** Encodes a short chunk and keeps its bytes, so that a broadcast is encoded once. */
const encodeChunk = memoizeLast((text: string): Buffer => Buffer.from(text));

/** A request as the event 'stream' has it. */
export interface StreamRequest {
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;
  /** Alternating names and values, as received. */
  readonly rawHeaders: readonly string[];
}

/** Implements `Exchange` with a stream of `node:http2`. */
export class Http2Exchange implements Exchange, StreamListener {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly upgrade: Upgrade;
  readonly relayedClient: undefined;
  readonly #stream: ServerHttp2Stream;
  readonly #headers: IncomingHttpHeaders;
  /** Alternating names and values, as received. */
  readonly #receivedHeaders: readonly string[];
  readonly #peer: Http2Peer;
  readonly #writeLimits: WriteLimits;
  /** Set once `rawHeaders` was read. */
  #headerList: readonly string[] | undefined;
  #isBodyDropped = false;
  /** Set once the response has a body. */
  #output: StreamOutput | undefined;
  #listener: ResponseListener | undefined;
  #watchdog: OutputWatchdog | undefined;
  #isWatched = false;
  #isSettled = false;
  /** Set while the body may wait for its reader. */
  #unread: UnreadInput | undefined;

  constructor(
    { stream, headers, rawHeaders }: StreamRequest,
    target: RequestTarget,
    peer: Http2Peer,
    writeLimits: WriteLimits,
    upgrade: Upgrade,
  ) {
    this.#stream = stream;
    this.#headers = headers;
    this.#peer = peer;
    this.#writeLimits = writeLimits;
    this.method = headers[':method'] ?? '';
    this.path = target.path;
    this.query = target.query;
    this.#receivedHeaders = rawHeaders;
    this.upgrade = upgrade;
  }

  get rawHeaders(): readonly string[] {
    this.#headerList ??= requestHeaderList(this.#receivedHeaders, this.#headers);
    return this.#headerList;
  }

  get remoteAddress(): string {
    return this.#peer.remoteAddress;
  }

  get encrypted(): boolean {
    return this.#peer.encrypted;
  }

  get certificate(): PeerCertificate | undefined {
    return this.#peer.certificate;
  }

  get isDisconnected(): boolean {
    return this.#stream.destroyed || this.#stream.closed;
  }

  get isHandled(): boolean {
    return this.isDisconnected || this.#stream.headersSent;
  }

  get bufferedBytes(): number {
    return this.#output?.writableLength ?? 0;
  }

  get writable(): boolean {
    return this.#output?.writableNeedDrain !== true;
  }

  header(name: string): string | undefined {
    return headerOf(this.#headers, name);
  }

  readBody(limits: BodyLimits, memory: ClientMemory): Promise<Buffer | SockJSError> {
    const body = readBody(this.#stream, this.#headers['content-length'], limits, memory);
    this.#unread?.countReads();
    return body;
  }

  delayBody(memory: ClientMemory): void {
    if (!this.#stream.endAfterHeaders) this.#unread = UnreadInput.of(this.#stream, memory);
  }

  respond(status: number, headers: HeaderList, body?: Payload): void {
    if (this.isHandled) return;
    this.#watchEnd();
    this.#dropBody();
    const hasNoBody = status === 204 || status === 304;
    const length = body === undefined ? 0 : payloadLength(body);
    if (!hasNoBody) headers.push('Content-Length', String(length));
    const endStream = length === 0 || this.method === 'HEAD';
    this.#stream.respond(responseHeaders(status, headers), { endStream });
    if (endStream || body === undefined) return;
    this.#output = this.#createOutput();
    this.#writeBody(this.#output, body);
    this.end();
  }

  startStream(headers: HeaderList, status = 200): void {
    if (this.isHandled) return;
    this.#watchEnd();
    this.#dropBody();
    this.#stream.respond(responseHeaders(status, headers));
    this.#output = this.#createOutput();
  }

  write(chunk: Payload): void {
    // Node keeps a stream that the client has reset without an error until its output is sent, which may be never.
    if (this.#stream.closed) this.#stream.destroy();
    if (this.isDisconnected || this.#output === undefined) return;
    if (!this.#writeBody(this.#output, chunk)) this.#watchProgress(this.#output);
  }

  end(): void {
    const output = this.#output;
    if (this.isDisconnected || output === undefined) return;
    output.end();
    // Most responses are sent by then, and need no watchdog.
    setImmediate(() => {
      if (!this.#isSettled) this.#watchProgress(output);
    });
  }

  abort(): void {
    resetStream(this.#stream, CANCEL);
  }

  listen(listener: ResponseListener): void {
    this.#listener = listener;
    this.#watchEnd();
    this.#dropBody();
  }

  watchDisconnect(memory: ClientMemory, callback: () => void): () => void {
    this.delayBody(memory);
    this.#stream.on('close', callback);
    return () => void this.#stream.off('close', callback);
  }

  // Events of the stream

  onStreamFinish(): void {
    if (this.#isBodyDropped) this.#closeUnread();
    this.#settle();
  }

  onStreamClose(): void {
    this.#settle();
  }

  #createOutput(): StreamOutput {
    return new StreamOutput(this.#stream, () => {
      this.#watchdog?.stop();
      this.#listener?.onDrain();
    });
  }

  /** A client may send its next request before the stream has closed. A WebSocket is not watched: it has no response. */
  #watchEnd(): void {
    if (this.#isWatched) return;
    this.#isWatched = true;
    listenToStream(this.#stream, this);
  }

  /** Returns false if the client falls behind. */
  #writeBody(output: StreamOutput, body: Payload): boolean {
    if (typeof body === 'string') return output.write(encodeChunk(body));
    output.cork();
    for (const piece of body) output.write(piece);
    output.uncork();
    return !output.writableNeedDrain;
  }

  /** Drops what is left of the request. */
  #dropBody(): void {
    const stream = this.#stream;
    if (this.#isBodyDropped || stream.endAfterHeaders || stream.readableEnded) return;
    this.#isBodyDropped = true;
    this.#unread?.countReads();
    stream.resume();
  }

  /** Ends the stream after the response, although the client has not ended the request. */
  #closeUnread(): void {
    // Node itself does so only if nothing of the request was read. Some versions emit 'finish' for a response without a
    // body before they have sent its head.
    setImmediate(() => {
      if (!this.#stream.readableEnded) this.#stream.close();
    });
  }

  /** Called when the response is sent, or its stream has closed. */
  #settle(): void {
    const { aborted, closed, writableFinished } = this.#stream;
    // Node also finishes a stream that the client has reset, which is then `aborted`.
    const isSent = writableFinished && !aborted;
    if (this.#isSettled || !(isSent || closed)) return;
    this.#isSettled = true;
    this.#watchdog?.stop();
    if (isSent) this.#listener?.onFinish();
    else this.#listener?.onDisconnect();
  }

  #watchProgress(output: StreamOutput): void {
    const watched = {
      bytesTaken: () => output.bytesTaken,
      bytesBuffered: () => output.writableLength,
    };
    this.#watchdog ??= new OutputWatchdog(watched, this.#writeLimits, () => {
      if (this.#listener === undefined) this.abort();
      else this.#listener.onWriteTimeout();
    });
    this.#watchdog.start();
  }
}
