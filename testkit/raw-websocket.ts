/** A WebSocket client on which a test controls every WebSocket frame. */
import { createHash } from 'node:crypto';
import { AsyncQueue } from './async-queue.ts';
import {
  ConnectionEndedError,
  type RawConnection,
  type ReadOptions,
  type Target,
} from './raw-connection.ts';
import { type Headers, RawHttpConnection, type RawRequest, type ResponseHead } from './raw-http.ts';
import type { TestScope } from './scope.ts';
import { DEFAULT_TIMEOUT_MS, type WaitOptions, within } from './until.ts';
import {
  type FrameOptions,
  OPCODE,
  type WsFrame,
  decodeClose,
  decodeText,
  encodeClose,
  encodeFrame,
  inflate,
  readServerFrame,
} from './websocket-frames.ts';

/** The key of RFC 6455, section 1.3, and the accept value for it. */
export const HANDSHAKE_KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
export const HANDSHAKE_ACCEPT: string = createHash('sha1')
  .update(`${HANDSHAKE_KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
  .digest('base64');

export const UPGRADE_HEADERS: Headers = [
  ['Connection', 'Upgrade'],
  ['Upgrade', 'websocket'],
  ['Sec-WebSocket-Version', '13'],
  ['Sec-WebSocket-Key', HANDSHAKE_KEY],
];

/** Offers permessage-deflate, as browsers do. */
export const OFFER_COMPRESSION: Headers = [
  ['Sec-WebSocket-Extensions', 'permessage-deflate; client_max_window_bits'],
];

/** Returns the headers of a handshake with changes. `undefined` removes a header. */
export function handshakeHeaders(
  changes: Readonly<Record<string, string | undefined>> = {},
): Headers {
  const headers = { ...Object.fromEntries(UPGRADE_HEADERS), ...changes };
  return Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  );
}

export interface WebSocketOptions extends ReadOptions {
  /** Headers in addition to those of the handshake. */
  readonly headers?: Headers;
  /** Sends a pong for each ping. Default: true. */
  readonly autoPong?: boolean;
  /** Keeps messages and frames in the queues. Default: true. Callbacks are called in any case. */
  readonly record?: boolean;
  /** Responds to a close frame, and ends the connection. Default: true. */
  readonly autoClose?: boolean;
}

export interface WsCloseEvent {
  /** 1005: a close frame without a code. 1006: no close frame. */
  readonly code: number;
  readonly reason: string;
}

/** Thrown if the server responds to the handshake with anything but a valid 101. */
export class HandshakeError extends Error {
  override readonly name = 'HandshakeError';
  readonly head: ResponseHead;
  readonly body: string;

  constructor(head: ResponseHead, body: string) {
    super(`The handshake was refused: ${head.status} ${body}`);
    this.head = head;
    this.body = body;
  }

  get status(): number {
    return this.head.status;
  }
}

/** Callbacks, for a test that depends on the time of an event. */
export interface WsEvents {
  readonly message?: (message: string | Buffer) => void;
  readonly close?: (event: WsCloseEvent) => void;
}

/**
 * WebSocket that reads as soon as it is open, and queues what it reads until the test takes it. Messages, pings and
 * pongs have separate queues, so that a test that expects a message does not get a heartbeat.
 */
export class RawWebSocket {
  readonly raw: RawConnection;
  readonly head: ResponseHead;
  /** Text messages as strings, binary messages as buffers. Fragments are joined, and compressed messages inflated. */
  readonly messages: AsyncQueue<string | Buffer> = new AsyncQueue('a WebSocket message');
  readonly pings: AsyncQueue<Buffer> = new AsyncQueue('a ping');
  readonly pongs: AsyncQueue<Buffer> = new AsyncQueue('a pong');
  /** All WebSocket frames, in order. */
  readonly frames: AsyncQueue<WsFrame> = new AsyncQueue('a WebSocket frame');
  readonly #options: WebSocketOptions;
  readonly #events: WsEvents;
  readonly #timeout: number;
  readonly #closed: Promise<WsCloseEvent>;
  #closeFrame: WsCloseEvent | undefined;
  #violation: Error | undefined;
  #hasSentClose = false;

  /** For a connection whose handshake is complete. Use `RawWebSocket.open` for others. */
  constructor(
    raw: RawConnection,
    head: ResponseHead,
    options: WebSocketOptions = {},
    events: WsEvents = {},
  ) {
    this.raw = raw;
    this.head = head;
    this.#options = options;
    this.#events = events;
    this.#timeout = options.timeout ?? DEFAULT_TIMEOUT_MS;
    this.#closed = this.#read();
  }

  /** Connects and completes the handshake. @throws HandshakeError */
  static async open(
    target: Target,
    path: string,
    options: WebSocketOptions = {},
    events: WsEvents = {},
  ): Promise<RawWebSocket> {
    const http = new RawHttpConnection(target, options);
    try {
      const headers = [...UPGRADE_HEADERS, ...(options.headers ?? [])];
      const head = await http.send({ path, headers }).readHead();
      const isValid = head.header('sec-websocket-accept') === HANDSHAKE_ACCEPT;
      if (head.status !== 101 || !isValid) {
        throw new HandshakeError(head, await bodyOf(http, head));
      }
      return new RawWebSocket(http.raw, head, options, events);
    } catch (error) {
      http.close();
      throw error;
    }
  }

  /** Writes WebSocket frames or other bytes. */
  write(...bytes: readonly Uint8Array[]): this {
    this.raw.write(Buffer.concat(bytes));
    return this;
  }

  sendFrame(opcode: number, payload?: string | Uint8Array, options?: FrameOptions): this {
    return this.write(encodeFrame(opcode, payload, options));
  }

  /** Sends a text message, or a binary one. */
  send(message: string | Uint8Array): this {
    return this.sendFrame(typeof message === 'string' ? OPCODE.text : OPCODE.binary, message);
  }

  /** Sends one text message in several WebSocket frames. */
  sendFragments(...parts: readonly string[]): this {
    for (const [index, part] of parts.entries()) {
      const opcode = index === 0 ? OPCODE.text : OPCODE.continuation;
      this.sendFrame(opcode, part, { fin: index === parts.length - 1 });
    }
    return this;
  }

  ping(payload?: string | Uint8Array): this {
    return this.sendFrame(OPCODE.ping, payload);
  }

  pong(payload?: string | Uint8Array): this {
    return this.sendFrame(OPCODE.pong, payload);
  }

  /** Sends a close frame, without a payload if no code is given. */
  close(code?: number, reason = ''): this {
    this.#hasSentClose = true;
    return this.sendFrame(OPCODE.close, code === undefined ? '' : encodeClose(code, reason));
  }

  /** Takes the next message. @throws an error if the connection closes first */
  async next(options?: WaitOptions): Promise<string | Buffer> {
    return this.messages.next({ timeout: this.#timeout, ...options });
  }

  /** Takes the next message as text. */
  async nextText(options?: WaitOptions): Promise<string> {
    const message = await this.next(options);
    if (typeof message !== 'string') throw new TypeError('The message is binary.');
    return message;
  }

  /** Takes the next `count` messages. */
  async take(count: number, options?: WaitOptions): Promise<(string | Buffer)[]> {
    const messages: (string | Buffer)[] = [];
    while (messages.length < count) messages.push(await this.next(options));
    return messages;
  }

  /**
   * Waits until the connection has closed.
   * @throws an error if the server violated RFC 6455
   */
  async closed({ timeout = this.#timeout }: WaitOptions = {}): Promise<WsCloseEvent> {
    const event = await within(this.#closed, 'the close of the WebSocket', { timeout });
    if (this.#violation !== undefined) throw this.#violation;
    return event;
  }

  pause(): this {
    this.raw.pause();
    return this;
  }

  resume(): this {
    this.raw.resume();
    return this;
  }

  /** Resets the connection. */
  abort(): void {
    this.raw.abort();
  }

  get #isRecording(): boolean {
    return this.#options.record !== false;
  }

  async #read(): Promise<WsCloseEvent> {
    const source = { readBytes: (length: number) => this.raw.readBytes(length, NO_LIMIT) };
    try {
      const extensions = this.head.header('sec-websocket-extensions') ?? '';
      const allowsCompression = extensions.startsWith('permessage-deflate');
      let fragments: WsFrame[] = [];
      for (;;) {
        const frame = await readServerFrame(source, allowsCompression);
        if (this.#isRecording) this.frames.push(frame);
        if (frame.opcode >= OPCODE.close) {
          this.#control(frame);
        } else {
          if ((frame.opcode === OPCODE.continuation) !== fragments.length > 0) {
            throw new Error('The server broke RFC 6455: fragments are out of order.');
          }
          fragments.push(frame);
          if (frame.fin) {
            this.#deliver(fragments);
            fragments = [];
          }
        }
      }
    } catch (error) {
      if (!(error instanceof ConnectionEndedError)) {
        this.#violation = error instanceof Error ? error : new Error(String(error));
        this.raw.close();
      }
    }
    await this.raw.closed(NO_LIMIT);
    const event = this.#closeFrame ?? { code: 1006, reason: '' };
    const { code, reason } = event;
    const ending = this.#violation ?? new Error(`The WebSocket has closed: ${code} ${reason}`);
    for (const queue of [this.messages, this.pings, this.pongs, this.frames]) queue.end(ending);
    this.#events.close?.(event);
    return event;
  }

  #deliver(fragments: readonly WsFrame[]): void {
    const [first] = fragments;
    const joined = Buffer.concat(fragments.map((fragment) => fragment.payload));
    const payload = first?.isCompressed === true ? inflate(joined) : joined;
    const message = first?.opcode === OPCODE.text ? decodeText(payload) : payload;
    if (this.#isRecording) this.messages.push(message);
    this.#events.message?.(message);
  }

  #control({ opcode, payload }: WsFrame): void {
    if (opcode === OPCODE.pong) {
      if (this.#isRecording) this.pongs.push(payload);
    } else if (opcode === OPCODE.ping) {
      if (this.#isRecording) this.pings.push(payload);
      if (this.#options.autoPong !== false) this.pong(payload);
    } else {
      this.#closeFrame ??= decodeClose(payload);
      if (this.#options.autoClose === false) return;
      if (!this.#hasSentClose) this.sendFrame(OPCODE.close, payload.subarray(0, 2));
      this.#hasSentClose = true;
      this.raw.end();
    }
  }
}

const NO_LIMIT = { timeout: Infinity };

/** Reads the body of a refusal. */
async function bodyOf(http: RawHttpConnection, head: ResponseHead): Promise<string> {
  if (head.status === 101) return '';
  const parts: Buffer[] = [];
  for await (const part of http.bodyParts(head)) parts.push(part);
  return Buffer.concat(parts).toString('utf8');
}

/** Opens a WebSocket that is aborted at the end of the test. @throws HandshakeError */
export async function openWebSocket(
  scope: TestScope,
  target: Target,
  path: string,
  options?: WebSocketOptions,
): Promise<RawWebSocket> {
  const socket = await RawWebSocket.open(target, path, options);
  scope.after(() => socket.abort());
  return socket;
}

/** Returns a request for a WebSocket, for tests of the handshake. */
export function upgradeRequest(path: string, request: Partial<RawRequest> = {}): RawRequest {
  return { path, ...request, headers: [...UPGRADE_HEADERS, ...(request.headers ?? [])] };
}
