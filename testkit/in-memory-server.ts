/**
 * Tests of a connection class without sockets: clients and an `http.Server` that does not listen share streams in
 * memory, so that all other code is the code of production. Intended to become `sockjs-server/testing`: it uses only
 * the public API, and no test runner.
 */
import { type Server, createServer } from 'node:http';
import { type SockJSSettings, type SockJSConnection, SockJSRouter } from '../src/index.ts';
import { AsyncQueue } from './async-queue.ts';
import { RecordingLogger } from './logger.ts';
import { MemorySocket } from './memory-socket.ts';
import type { Headers } from './raw-http.ts';
import { RawWebSocket } from './raw-websocket.ts';
import {
  type CloseEvent,
  RAW_WEBSOCKET,
  WEBSOCKET,
  newSession,
  parseClose,
  parseMessages,
  wsPath,
} from './transports.ts';
import { type WaitOptions, deferred, until, within } from './until.ts';

export interface MemoryClientOptions {
  /** Query of the request: with `room=1`, `info.getArgument('room')` returns `'1'`. */
  readonly query?: string;
  readonly headers?: Headers;
  /** Address of the client. Default: 127.0.0.1. */
  readonly address?: string;
  /** Uses the raw WebSocket endpoint, without SockJS frames. */
  readonly isRaw?: boolean;
}

/** A client of one session, and the connection object that serves it. */
export class MemoryClient<C extends SockJSConnection> {
  /** The instance of the class under test. */
  readonly connection: C;
  /** Messages that `connection.send` sent, text or binary. */
  readonly messages: AsyncQueue<string | Buffer>;
  readonly #socket: RawWebSocket;
  readonly #closed: Promise<CloseEvent>;
  readonly #isRaw: boolean;

  constructor(
    connection: C,
    socket: RawWebSocket,
    messages: AsyncQueue<string | Buffer>,
    closed: Promise<CloseEvent>,
    isRaw: boolean,
  ) {
    this.connection = connection;
    this.messages = messages;
    this.#socket = socket;
    this.#closed = closed;
    this.#isRaw = isRaw;
  }

  /** Sends messages to `onMessage`, in order. A raw client sends binary messages to `onBinary`. */
  send(...messages: readonly (string | Uint8Array)[]): void {
    if (this.#isRaw) for (const message of messages) this.#socket.send(message);
    else this.#socket.send(JSON.stringify(messages));
  }

  /** The next message from the connection. */
  async next(options?: WaitOptions): Promise<string | Buffer> {
    return this.messages.next(options);
  }

  /** Closes the connection as the client, so that `onClose` is called. */
  close(code = 1000, reason = ''): void {
    this.#socket.close(code, reason);
  }

  /** Closes the connection at once, without a close frame. */
  abort(): void {
    this.#socket.abort();
  }

  /** Waits for the end of the connection, and returns the code and reason that the client received. */
  async closed(options?: WaitOptions): Promise<CloseEvent> {
    return within(this.#closed, 'the close of the client', options);
  }
}

export class InMemoryServer<C extends SockJSConnection> {
  readonly router: SockJSRouter<C>;
  readonly logger: RecordingLogger;
  readonly #server: Server = createServer();
  readonly #prefix = '/test';
  #connecting: Promise<unknown> = Promise.resolve();

  constructor(connection: new () => C, settings: SockJSSettings = {}) {
    this.logger = new RecordingLogger();
    const all = { logger: this.logger, ...settings };
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a class with users is given its `authorize`
    this.router = new SockJSRouter(connection, ...([this.#prefix, all] as never));
    this.router.attach(this.#server);
  }

  /**
   * Opens a session, and returns when the application has accepted it.
   * @throws HandshakeError if `authorize` or another check refused the request, or an error with the close
   * code if `onOpen` refused the session
   */
  async connect(options: MemoryClientOptions = {}): Promise<MemoryClient<C>> {
    // Clients connect one after the other, so that a new connection object belongs to the current client.
    const connecting = this.#connecting.then(() => this.#connect(options));
    this.#connecting = connecting.catch(() => {});
    return connecting;
  }

  async #connect(options: MemoryClientOptions): Promise<MemoryClient<C>> {
    const { query = '', headers = [], address = '127.0.0.1', isRaw = false } = options;
    const { client, server } = MemorySocket.pair({ remoteAddress: address });
    const messages = new AsyncQueue<string | Buffer>('a message');
    const before = new Set<SockJSConnection>(this.router.connections);
    const closed = deferred<CloseEvent>();
    let closeFrame: CloseEvent | undefined;
    const receive = (message: string | Buffer): void => {
      if (isRaw) messages.push(message);
      else if (typeof message !== 'string' || message === 'o' || message === 'h') return;
      else if (message.startsWith('c')) closeFrame = parseClose(message);
      else for (const text of parseMessages(message)) messages.push(text);
    };
    const close = (event: CloseEvent): void => {
      const final = closeFrame ?? event;
      messages.end(new Error(`The client has closed: ${final.code} ${final.reason}`));
      closed.resolve(final);
    };
    this.#server.emit('connection', server);
    const path = wsPath(isRaw ? RAW_WEBSOCKET : WEBSOCKET, newSession(this.#prefix));
    const socket = await RawWebSocket.open(
      client,
      query === '' ? path : `${path}?${query}`,
      { headers, record: false },
      { message: receive, close },
    );
    const connection = await this.#accepted(before, closed.promise);
    return new MemoryClient(connection, socket, messages, closed.promise, isRaw);
  }

  /** Closes all sessions. @throws AssertionError for a logged warning or error that was not taken */
  async close(): Promise<void> {
    await this.router.close({ timeout: 100 });
    this.#server.close();
    this.logger.assertNoProblems();
  }

  /** Waits for a new connection, and returns it. */
  async #accepted(before: ReadonlySet<SockJSConnection>, closed: Promise<CloseEvent>): Promise<C> {
    let refusal: CloseEvent | undefined;
    void closed.then((event) => {
      refusal = event;
    });
    return until(() => {
      for (const connection of this.router.connections) {
        if (!before.has(connection)) return connection;
      }
      if (refusal === undefined) return undefined;
      throw new Error(`The session was refused: ${refusal.code} ${refusal.reason}`);
    }, 'the application to accept the session');
  }
}
