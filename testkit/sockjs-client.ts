/**
 * A SockJS client for every transport, including htmlfile and jsonp, which need a document in browsers. It follows the
 * protocol as the real client does, and a test can pause, close or abort it at any time.
 */
import { StringDecoder } from 'node:string_decoder';
import { AsyncQueue } from './async-queue.ts';
import { type ConnectOptions, ConnectionEndedError } from './raw-connection.ts';
import { type Headers, RawHttpConnection } from './raw-http.ts';
import { HandshakeError, RawWebSocket } from './raw-websocket.ts';
import type { TestScope } from './scope.ts';
import {
  type CloseEvent,
  type HttpTransport,
  type OpenRequestOptions,
  type Transport,
  type WsTransport,
  newSession,
  openRequest,
  parseClose,
  parseMessages,
  sendRequest,
  splitFrames,
  wsPath,
} from './transports.ts';
import { type WaitOptions, deferred, within } from './until.ts';

const NO_LIMIT = { timeout: Infinity };

/** Node closes a connection that was idle for 5 s, so a sending connection is not reused after 2 s. */
const MAX_IDLE_MS = 2000;

export interface ClientCloseEvent extends CloseEvent {
  /** The HTTP status, if the server refused a request. */
  readonly status?: number;
}

/** Callbacks, for a test that depends on the time of an event. */
export interface ClientEvents {
  readonly open?: () => void;
  readonly message?: (message: string) => void;
  readonly close?: (event: ClientCloseEvent) => void;
}

export interface SockJSClientOptions extends ClientEvents {
  /** Port of 127.0.0.1, or an address, with `tls` for HTTPS. */
  readonly server: number | ConnectOptions;
  /** URL of the session. Default: a new one below `/echo`. */
  readonly session?: string;
  /** Sent with each request. */
  readonly headers?: Headers;
  readonly query?: string;
  readonly version?: '1.0' | '1.1';
  /** Keeps messages in `messages`. Default: true. */
  readonly record?: boolean;
}

/** Sends messages and receives frames over one kind of transport. */
interface Link {
  send(messages: readonly string[]): Promise<void>;
  pause(): void;
  resume(): void;
  leave(): void;
  close(): void;
  abort(): void;
}

interface LinkEvents {
  opened(): void;
  frame(frame: string): void;
  messages(messages: readonly string[]): void;
  ended(event: ClientCloseEvent): void;
}

export class SockJSClient {
  readonly transport: Transport;
  readonly session: string;
  readonly messages: AsyncQueue<string> = new AsyncQueue('a message');
  /** Heartbeat frames so far. WebSocket pings do not count. */
  heartbeats = 0;
  readonly #options: SockJSClientOptions;
  readonly #link: Link;
  readonly #opened = deferred();
  readonly #closed = deferred<ClientCloseEvent>();
  #state: 'connecting' | 'open' | 'closed' = 'connecting';

  /** Connects at once. */
  constructor(transport: Transport, options: SockJSClientOptions) {
    this.transport = transport;
    this.#options = options;
    this.session = options.session ?? newSession();
    this.#opened.promise.catch(() => {}); // A test does not have to wait for it.
    const events: LinkEvents = {
      opened: () => this.#open(),
      frame: (frame) => this.#frame(frame),
      messages: (messages) => this.#receive(messages),
      ended: (event) => this.#end(event),
    };
    const all = { ...options, session: this.session };
    this.#link = transport.isWebSocket
      ? new WebSocketLink(transport, all, events)
      : new HttpLink(transport, all, events);
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  get isClosed(): boolean {
    return this.#state === 'closed';
  }

  /** Waits until the session has opened. @throws an error if the client closes first */
  async opened(options?: WaitOptions): Promise<this> {
    await within(this.#opened.promise, 'the session to open', options);
    return this;
  }

  /** Waits until the session has ended for the client, whichever side has closed it. */
  async closed(options?: WaitOptions): Promise<ClientCloseEvent> {
    return within(this.#closed.promise, 'the session to close', options);
  }

  /** Takes the next message. @throws an error if the session ends first */
  async next(options?: WaitOptions): Promise<string> {
    return this.messages.next(options);
  }

  async take(count: number, options?: WaitOptions): Promise<string[]> {
    return this.messages.take(count, options);
  }

  /** Sends messages. Resolves when the server has accepted them. On a WebSocket, when they are written. */
  async send(...messages: readonly string[]): Promise<void> {
    if (this.#state !== 'open') throw new Error('The client is not open.');
    await this.#link.send(messages);
  }

  /** Posts a body of any content to the sending endpoint. @returns the HTTP status */
  async post(body: string): Promise<number> {
    if (!(this.#link instanceof HttpLink)) throw new TypeError('A WebSocket has no bodies.');
    return this.#link.post(body);
  }

  /** Stops reading until `resume`. */
  pause(): void {
    this.#link.pause();
  }

  resume(): void {
    this.#link.resume();
  }

  /** Closes the WebSocket, or aborts the receiving request. */
  close(): void {
    this.#link.close();
    if (!this.transport.isWebSocket) this.#end({ code: 1000, reason: 'Normal closure' });
  }

  /** Sends no further request. A pending poll stays until the server ends it. Otherwise like `close`. */
  leave(): void {
    this.#link.leave();
  }

  /** Resets all connections. */
  abort(): void {
    this.#link.abort();
    this.#end({ code: 1006, reason: 'Aborted' });
  }

  #open(): void {
    if (this.#state !== 'connecting') return;
    this.#state = 'open';
    this.#opened.resolve();
    this.#options.open?.();
  }

  #frame(frame: string): void {
    if (this.#state === 'closed') return;
    if (frame === 'h') this.heartbeats += 1;
    else if (frame === 'o' && this.isOpen) this.#lose('Server lost session');
    else if (frame === 'o') this.#open();
    else if (frame.startsWith('c')) this.#end(parseClose(frame));
    else this.#receive(parseMessages(frame));
  }

  #lose(reason: string): void {
    this.#link.close();
    this.#end({ code: 1006, reason });
  }

  #receive(messages: readonly string[]): void {
    for (const message of messages) {
      if (this.#state === 'closed') return;
      if (this.#options.record !== false) this.messages.push(message);
      this.#options.message?.(message);
    }
  }

  #end(event: ClientCloseEvent): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    const error = new Error(`The session has closed: ${event.code} ${event.reason}`);
    this.#opened.reject(error);
    this.messages.end(error);
    this.#closed.resolve(event);
    this.#options.close?.(event);
  }
}

type LinkOptions = SockJSClientOptions & { readonly session: string };

function addressOf(server: number | ConnectOptions): ConnectOptions {
  return typeof server === 'number' ? { port: server } : server;
}

/** Receives on one connection, one request after the other, and sends on another one. */
class HttpLink implements Link {
  readonly #transport: HttpTransport;
  readonly #server: ConnectOptions;
  readonly #request: OpenRequestOptions;
  readonly #events: LinkEvents;
  #receiving: RawHttpConnection | undefined;
  #sending: RawHttpConnection | undefined;
  #lastSent = 0;
  #order: Promise<unknown> = Promise.resolve();
  #isLeaving = false;
  #isClosed = false;
  #isPaused = false;

  constructor(transport: HttpTransport, options: LinkOptions, events: LinkEvents) {
    const { server, session, headers, query, version } = options;
    this.#transport = transport;
    this.#server = addressOf(server);
    this.#request = {
      session,
      ...(headers === undefined ? {} : { headers }),
      ...(query === undefined ? {} : { query }),
      ...(version === undefined ? {} : { version }),
    };
    this.#events = events;
    void this.#receiveAll();
  }

  async send(messages: readonly string[]): Promise<void> {
    return this.#enqueue(async () => {
      const status = await this.#post(JSON.stringify(messages));
      if (status === 200 || status === 204) return;
      this.#fail({ code: 1006, reason: `Sending failed: ${status}`, status });
      throw new Error(`The server refused messages: ${status}`);
    });
  }

  /** Posts a body, after the response to the previous one. */
  async post(body: string): Promise<number> {
    return this.#enqueue(() => this.#post(body));
  }

  pause(): void {
    this.#isPaused = true;
    this.#receiving?.raw.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#receiving?.raw.resume();
  }

  leave(): void {
    this.#isLeaving = true;
    if (this.#transport.isStreaming) this.#receiving?.close();
  }

  close(): void {
    this.#isLeaving = true;
    this.#isClosed = true;
    this.#receiving?.close();
    this.#sending?.close();
  }

  abort(): void {
    this.#isLeaving = true;
    this.#isClosed = true;
    this.#receiving?.abort();
    this.#sending?.abort();
  }

  /** Sends one body after the other. A body that follows a lost one would leave a gap, so it is not sent. */
  async #enqueue<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#order.then(() => {
      if (this.#isClosed) throw new Error('The client has closed.');
      return task();
    });
    this.#order = result.catch(() => {});
    return result;
  }

  #fail(event: ClientCloseEvent): void {
    this.close();
    this.#events.ended(event);
  }

  async #post(body: string): Promise<number> {
    const connection = this.#sender();
    try {
      const { head, status } = await connection.request(
        sendRequest(this.#transport, this.#request, body),
      );
      this.#lastSent = performance.now();
      if (head.closesConnection) this.#dropSender();
      return status;
    } catch (error) {
      this.#fail({ code: 1006, reason: `Sending failed: ${String(error)}` });
      throw error;
    }
  }

  #sender(): RawHttpConnection {
    const isIdle = performance.now() - this.#lastSent > MAX_IDLE_MS;
    if (isIdle || this.#sending?.raw.isEnded === true) this.#dropSender();
    this.#sending ??= new RawHttpConnection(this.#server);
    return this.#sending;
  }

  #dropSender(): void {
    this.#sending?.close();
    this.#sending = undefined;
  }

  async #receiveAll(): Promise<void> {
    let event: ClientCloseEvent = { code: 1000, reason: 'Left' };
    try {
      while (!this.#isLeaving) {
        const refusal = await this.#receive();
        if (refusal !== undefined) {
          event = refusal;
          break;
        }
      }
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (!this.#isLeaving) event = { code: 1006, reason };
    }
    this.close();
    this.#events.ended(event);
  }

  /** Sends one receiving request, and reads its frames. @returns the refusal if the server refused it */
  async #receive(): Promise<ClientCloseEvent | undefined> {
    const connection = this.#receiver();
    const head = await connection
      .send(openRequest(this.#transport, this.#request))
      .readHead(NO_LIMIT);
    const { status } = head;
    const decoder = new StringDecoder('utf8');
    let text = '';
    let needsPrelude = status === 200 && this.#transport.prelude !== '';
    for await (const part of connection.bodyParts(head, NO_LIMIT)) {
      text += decoder.write(part);
      if (needsPrelude) {
        if (text.length < this.#transport.prelude.length) continue;
        if (!text.startsWith(this.#transport.prelude)) throw new Error('The prelude is wrong.');
        text = text.slice(this.#transport.prelude.length);
        needsPrelude = false;
      }
      if (status === 200) text = this.#deliver(text);
    }
    if (head.closesConnection || connection.raw.isEnded) {
      connection.close();
      this.#receiving = undefined;
    }
    if (status !== 200) return { code: 1006, reason: text, status };
    if (text !== '') throw new ConnectionEndedError(`The response broke off after ${text}.`);
    return undefined;
  }

  /** Passes on the frames in a text. @returns the incomplete rest */
  #deliver(text: string): string {
    const { frames, rest } = splitFrames(this.#transport, text);
    for (const frame of frames) {
      // A client does not poll again after a close frame.
      if (frame.startsWith('c')) this.#isLeaving = true;
      this.#events.frame(frame);
    }
    return rest;
  }

  #receiver(): RawHttpConnection {
    this.#receiving ??= new RawHttpConnection(this.#server, NO_LIMIT);
    if (this.#isPaused) this.#receiving.raw.pause();
    return this.#receiving;
  }
}

class WebSocketLink implements Link {
  readonly #isRaw: boolean;
  readonly #events: LinkEvents;
  readonly #opening: Promise<RawWebSocket | undefined>;
  #socket: RawWebSocket | undefined;
  #pendingAction: ((socket: RawWebSocket) => void) | undefined;

  constructor(transport: WsTransport, options: LinkOptions, events: LinkEvents) {
    this.#isRaw = transport.name === 'rawwebsocket';
    this.#events = events;
    this.#opening = this.#open(transport, options);
  }

  async send(messages: readonly string[]): Promise<void> {
    const socket = await this.#opening;
    if (this.#isRaw) for (const message of messages) socket?.send(message);
    else socket?.send(JSON.stringify(messages));
  }

  pause(): void {
    this.#run((socket) => socket.pause());
  }

  resume(): void {
    this.#run((socket) => socket.resume());
  }

  leave(): void {
    this.close();
  }

  close(): void {
    this.#run((socket) => socket.close(1000));
  }

  abort(): void {
    this.#run((socket) => socket.abort());
  }

  /** Runs an action at once, or as soon as the socket is open. */
  #run(action: (socket: RawWebSocket) => void): void {
    if (this.#socket === undefined) this.#pendingAction = action;
    else action(this.#socket);
  }

  async #open(transport: WsTransport, options: LinkOptions): Promise<RawWebSocket | undefined> {
    const { server, session, headers = [], query = '' } = options;
    const path = wsPath(transport, session) + (query === '' ? '' : `?${query}`);
    try {
      const socket = await RawWebSocket.open(
        addressOf(server),
        path,
        { headers, record: false },
        {
          message: (message) => this.#message(String(message)),
          close: (event) => this.#events.ended(event),
        },
      );
      this.#socket = socket;
      if (this.#isRaw) this.#events.opened();
      this.#pendingAction?.(socket);
      return socket;
    } catch (error) {
      const status = error instanceof HandshakeError ? { status: error.status } : {};
      const reason = error instanceof Error ? error.message : String(error);
      this.#events.ended({ code: 1006, reason, ...status });
      return undefined;
    }
  }

  #message(text: string): void {
    if (this.#isRaw) this.#events.messages([text]);
    else this.#events.frame(text);
  }
}

/** Opens a session that is aborted at the end of the test. */
export async function openSockJS(
  scope: TestScope,
  transport: Transport,
  options: SockJSClientOptions,
): Promise<SockJSClient> {
  const client = new SockJSClient(transport, options);
  scope.after(() => client.abort());
  return client.opened();
}
