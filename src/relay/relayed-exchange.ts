/** A request that another node has relayed, as the port `Exchange`. Its client is the one that the other node has seen. */
import type { SockJSError } from '../base/errors.ts';
import type { ClientMemory } from '../base/memory-budget.ts';
import { type Payload, payloadLength } from '../base/payload.ts';
import { copyOf } from '../base/receive-buffer.ts';
import type { ClientAddress } from '../http/client-address.ts';
import {
  type BodyLimits,
  type Exchange,
  type HeaderList,
  NO_UPGRADE,
  type ResponseListener,
} from '../http/exchange.ts';
import { IncomingBody, bodyAborted, bodyTooLarge } from '../http/incoming-body.ts';
import { OutputWatchdog, type WriteLimits } from '../http/output-watchdog.ts';
import type { RequestTarget } from '../http/prefix.ts';
import { type RequestHead, formatResponse } from './relay-head.ts';
import type { RelayStream, StreamListener } from './relay-stream.ts';

/** Finds a header, whose values are joined as by `node:http`. */
function findHeader(rawHeaders: readonly string[], name: string): string | undefined {
  let found: string | undefined;
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const candidate = rawHeaders[index] ?? '';
    if (candidate.length !== name.length || candidate.toLowerCase() !== name) continue;
    const value = rawHeaders[index + 1] ?? '';
    if (found === undefined) found = value;
    else if (name !== 'content-type') found += (name === 'cookie' ? '; ' : ', ') + value;
  }
  return found;
}

/** Body of the request, as far as it has arrived. */
export interface ReceivedBody {
  bytes: Buffer;
  isComplete: boolean;
}

export interface RelayedExchangeOptions {
  /** First bytes of the body, as a view. */
  readonly received: ReceivedBody;
  readonly writeLimits: WriteLimits;
}

export class RelayedExchange implements Exchange, StreamListener {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly rawHeaders: readonly string[];
  readonly relayedClient: ClientAddress;
  readonly certificate: undefined;
  readonly upgrade: typeof NO_UPGRADE = NO_UPGRADE;
  readonly #stream: RelayStream;
  readonly #writeLimits: WriteLimits;
  readonly #bodyLength: number;
  /** Bytes of the body that no one has read. Undefined once the body is being read, or the client is gone. */
  #received: ReceivedBody | undefined;
  #body: IncomingBody | undefined;
  #listener: ResponseListener | undefined;
  #watchdog: OutputWatchdog | undefined;
  #disconnectCallbacks: Set<() => void> | undefined;
  /** Head of a streaming response that is not sent yet. */
  #head: string | undefined;
  #state: 'pending' | 'responding' | 'ended' | 'closed' = 'pending';

  constructor(
    stream: RelayStream,
    { method, rawHeaders, client, bodyLength }: RequestHead,
    { path, query }: RequestTarget,
    { received, writeLimits }: RelayedExchangeOptions,
  ) {
    this.method = method;
    this.path = path;
    this.query = query;
    this.rawHeaders = rawHeaders;
    this.relayedClient = client;
    this.#bodyLength = bodyLength;
    this.#stream = stream;
    this.#received = received;
    this.#writeLimits = writeLimits;
    stream.listener = this;
  }

  get remoteAddress(): string {
    return this.relayedClient.address;
  }

  get encrypted(): boolean {
    return this.relayedClient.secure;
  }

  get isDisconnected(): boolean {
    return this.#state === 'closed';
  }

  get isHandled(): boolean {
    return this.#state !== 'pending';
  }

  /** A response that has ended is buffered until the other node has confirmed that the client has it. */
  get bufferedBytes(): number {
    return this.#stream.queuedBytes + (this.#state === 'ended' ? 1 : 0);
  }

  get writable(): boolean {
    return this.#stream.queuedBytes === 0;
  }

  header(name: string): string | undefined {
    return findHeader(this.rawHeaders, name);
  }

  readBody(limits: BodyLimits, memory: ClientMemory): Promise<Buffer | SockJSError> {
    const received = this.#received;
    this.#received = undefined;
    if (this.#bodyLength > limits.maxBytes) return Promise.resolve(bodyTooLarge(limits));
    if (received === undefined) return Promise.resolve(bodyAborted());
    if (received.isComplete) return Promise.resolve(received.bytes);
    return new Promise((resolve) => {
      const body = new IncomingBody(limits, memory, this.#bodyLength, resolve);
      this.#body = body;
      this.#readBytes(body, received.bytes);
    });
  }

  /** Keeps the bytes of the body that are not being read. They are a view of received bytes until then. */
  keepBody(): void {
    if (this.#received !== undefined && this.#received.bytes.length > 0)
      this.#received.bytes = copyOf(this.#received.bytes);
  }

  respond(status: number, headers: HeaderList, body: Payload = ''): void {
    if (this.isHandled) return;
    this.#state = 'ended';
    const length = payloadLength(body);
    if (!this.#stream.takesAtOnce(length)) headers.push('Content-Length', String(length));
    this.#stream.respond(formatResponse(status, headers), body, true);
    this.#finish();
  }

  startStream(headers: HeaderList, status = 200): void {
    if (this.isHandled) return;
    this.#state = 'responding';
    this.#head = formatResponse(status, headers);
  }

  write(chunk: Payload): void {
    if (this.#state !== 'responding') return;
    const head = this.#head;
    this.#head = undefined;
    if (head === undefined) this.#stream.write(chunk);
    else this.#stream.respond(head, chunk, false);
    this.#watchProgress();
  }

  end(): void {
    if (this.#state !== 'responding') return;
    this.#state = 'ended';
    if (this.#head === undefined) this.#stream.end();
    else this.#stream.respond(this.#head, '', true);
    this.#finish();
  }

  abort(): void {
    if (this.#state === 'closed') return;
    this.#stream.abort();
    this.#state = 'closed';
    process.nextTick(() => this.#disconnect());
  }

  listen(listener: ResponseListener): void {
    this.#listener = listener;
  }

  /** Does nothing: `RelayStream` limits what waits. */
  delayBody(): void {}

  watchDisconnect(_memory: ClientMemory, callback: () => void): () => void {
    const callbacks = (this.#disconnectCallbacks ??= new Set());
    callbacks.add(callback);
    return () => void callbacks.delete(callback);
  }

  onData(bytes: Buffer, isLast: boolean): void {
    if (this.#body !== undefined) {
      this.#readBytes(this.#body, bytes);
      if (isLast) this.#body.complete();
    } else if (this.#received !== undefined) {
      this.#received.bytes = Buffer.concat([this.#received.bytes, bytes]);
      this.#received.isComplete = isLast;
    }
  }

  onSent(): void {
    this.#watchdog?.stop();
    if (this.#state === 'ended') this.#finish();
    else this.#listener?.onDrain();
  }

  onDelivered(): void {
    if (this.#state !== 'ended' || !this.writable) throw new Error('delivered before its end');
    this.#close();
    this.#listener?.onFinish();
  }

  onAbort(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#disconnect();
  }

  onResponse(): void {
    throw new Error('a response to a response');
  }

  /** Not sent by the node that has sent the request. */
  onUnknown(): void {
    this.onAbort();
  }

  #readBytes(body: IncomingBody, bytes: Buffer): void {
    body.add(bytes);
    this.#stream.consume(bytes.length);
  }

  /** Closes the exchange once its response is sent. With a listener, it waits for the confirmation. */
  #finish(): void {
    if (!this.writable) this.#watchProgress();
    else if (this.#listener === undefined) this.#close();
  }

  #close(): void {
    this.#state = 'closed';
    this.#stream.close();
    this.#body?.abort();
  }

  #disconnect(): void {
    this.#received = undefined;
    this.#watchdog?.stop();
    this.#body?.abort();
    for (const callback of this.#disconnectCallbacks ?? []) callback();
    this.#listener?.onDisconnect();
  }

  #watchProgress(): void {
    if (this.writable) return;
    this.#watchdog ??= new OutputWatchdog(
      {
        bytesTaken: () => this.#stream.sentBytes,
        bytesBuffered: () => this.#stream.queuedBytes,
      },
      this.#writeLimits,
      () => {
        if (this.#listener === undefined) this.abort();
        else this.#listener.onWriteTimeout();
      },
    );
    this.#watchdog.start();
  }
}
