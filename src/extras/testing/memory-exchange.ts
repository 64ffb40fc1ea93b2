import type { ClientMemory } from '../../base/memory-budget.ts';
import { Deadline } from '../../base/deadline.ts';
import type { Payload } from '../../base/payload.ts';
import { SockJSError } from '../../base/errors.ts';
import {
  type BodyLimits,
  type Exchange,
  type HeaderList,
  NO_UPGRADE,
  type ResponseListener,
  type Upgrade,
} from '../../http/exchange.ts';
import { later } from './real-time.ts';

/** Client of the requests, as the server sees it. */
export interface RequestOrigin {
  readonly remoteAddress: string;
  readonly encrypted: boolean;
  /** Alternating names and values. */
  readonly rawHeaders: readonly string[];
}

export interface MemoryRequest {
  readonly origin: RequestOrigin;
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly body?: string;
  readonly upgrade?: Upgrade;
}

/** Receives the response on the client's side. Either `onEnd` or `onLost` is the last call. */
export interface ResponseReader {
  /** Called when the server serves the request with a stream or in a session. */
  onServed?(): void;
  onText(text: string): void;
  onEnd(status: number): void;
  onLost(): void;
}

export function payloadText(payload: Payload): string {
  return typeof payload === 'string' ? payload : Buffer.concat(payload).toString('utf8');
}

/** Implements `Exchange` in memory: a request of a test client, whose response it reads. */
export class MemoryExchange implements Exchange {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly rawHeaders: readonly string[];
  readonly remoteAddress: string;
  readonly encrypted: boolean;
  readonly certificate = undefined;
  readonly relayedClient = undefined;
  readonly upgrade: Upgrade;
  isDisconnected = false;
  isHandled = false;
  bufferedBytes = 0;
  readonly #body: Buffer;
  readonly #reader: ResponseReader;
  readonly #disconnectWatchers = new Set<() => void>();
  #listener: ResponseListener | undefined;
  #status = 200;
  #isPaused = false;
  /** Runs while the client is paused. */
  #writeDeadline: Deadline | undefined;
  /** Output that a paused client has not read. */
  readonly #unread: (() => void)[] = [];

  constructor(request: MemoryRequest, reader: ResponseReader) {
    const { origin, method, path, query, body = '', upgrade = NO_UPGRADE } = request;
    this.method = method;
    this.path = path;
    this.query = query;
    this.rawHeaders = origin.rawHeaders;
    this.remoteAddress = origin.remoteAddress;
    this.encrypted = origin.encrypted;
    this.upgrade = upgrade;
    this.#body = Buffer.from(body);
    this.#reader = reader;
  }

  get writable(): boolean {
    return !this.#isPaused;
  }

  header(name: string): string | undefined {
    const values: string[] = [];
    for (let index = 0; index < this.rawHeaders.length; index += 2) {
      if (this.rawHeaders[index]?.toLowerCase() === name)
        values.push(this.rawHeaders[index + 1] ?? '');
    }
    return values.length === 0 ? undefined : values.join(', ');
  }

  readBody({ maxBytes }: BodyLimits, _memory: ClientMemory): Promise<Buffer | SockJSError> {
    const isTooLarge = this.#body.length > maxBytes;
    const error = new SockJSError('ERR_BODY_TOO_LARGE', `The body is over ${maxBytes} bytes.`);
    return Promise.resolve(isTooLarge ? error : this.#body);
  }

  respond(status: number, _headers: HeaderList, body: Payload = ''): void {
    this.startStream([], status);
    this.write(body);
    this.end();
  }

  startStream(_headers: HeaderList, status = 200): void {
    this.isHandled = true;
    this.#status = status;
  }

  write(chunk: Payload): void {
    const text = payloadText(chunk);
    if (text !== '') this.#deliver(Buffer.byteLength(text), () => this.#reader.onText(text));
  }

  end(): void {
    this.#deliver(0, () => {
      if (this.isDisconnected) return;
      this.#reader.onEnd(this.#status);
      later(() => this.#listener?.onFinish());
    });
  }

  abort(): void {
    if (this.isDisconnected) return;
    this.disconnect();
    this.#reader.onLost();
  }

  listen(listener: ResponseListener): void {
    this.#listener = listener;
    this.#reader.onServed?.();
  }

  delayBody(): void {}

  watchDisconnect(_memory: ClientMemory, callback: () => void): () => void {
    this.#disconnectWatchers.add(callback);
    return () => this.#disconnectWatchers.delete(callback);
  }

  // The client's side

  /** Stops reading. @param writeTimeout time for which the server waits, in milliseconds */
  pause(writeTimeout: number): void {
    this.#isPaused = true;
    this.#writeDeadline ??= new Deadline(writeTimeout, () => this.#listener?.onWriteTimeout());
  }

  /** Reads what the server has written meanwhile, and goes on. */
  resume(): void {
    this.#isPaused = false;
    this.#stopDeadline();
    this.bufferedBytes = 0;
    for (const read of this.#unread.splice(0)) read();
    this.#listener?.onDrain();
  }

  /** Ends the connection of the request. */
  disconnect(): void {
    this.isDisconnected = true;
    this.isHandled = true;
    this.#stopDeadline();
    this.#unread.length = 0;
    this.bufferedBytes = 0;
    for (const callback of this.#disconnectWatchers) callback();
    later(() => this.#listener?.onDisconnect());
  }

  #stopDeadline(): void {
    this.#writeDeadline?.clear();
    this.#writeDeadline = undefined;
  }

  #deliver(bytes: number, read: () => void): void {
    if (this.#isPaused) {
      this.bufferedBytes += bytes;
      this.#unread.push(read);
    } else {
      read();
    }
  }
}
