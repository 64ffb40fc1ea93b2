/**
 * Sessions, connections and receivers with the members that programs use. Some programs replace methods of these
 * prototypes, so the classes have to behave as those of `sockjs/lib/transport` do.
 */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { randomUUID } from 'node:crypto';
import { Stream } from 'node:stream';
import { splitTarget } from '../../http/prefix.ts';

/** Values of `readyState`. */
export const Transport = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 } as const;

/** Headers of a request that `connection.headers` has. */
const HEADERS = [
  'referer',
  'x-client-ip',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-cluster-client-ip',
  'via',
  'x-real-ip',
  'x-forwarded-proto',
  'x-ssl',
  'dnt',
  'host',
  'user-agent',
  'accept-language',
  'origin',
] as const;

/** Returns the headers that a connection has. Primus passes an object in one, so values are not checked. */
function selectHeaders(headers: IncomingHttpHeaders): Record<string, unknown> {
  const selected: Record<string, unknown> = {};
  for (const name of HEADERS) {
    const value = headers[name];
    if (value) selected[name] = value;
  }
  return selected;
}

/** Fields that `EventEmitter` sets, which a connection of `sockjs` does not enumerate. */
const EMITTER_FIELDS = ['_events', '_eventsCount', '_maxListeners'];

/** Carrier of the frames to the client: an HTTP response or a WebSocket. */
export class GenericReceiver {
  readonly protocol: string;
  readonly session: Session;
  /** Socket of a WebSocket. */
  declare readonly connection?: Socket;

  constructor(protocol: string, session: Session) {
    this.protocol = protocol;
    this.session = session;
  }
}

/** A response that carries frames. */
export class ResponseReceiver extends GenericReceiver {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;

  constructor(
    protocol: string,
    session: Session,
    request: IncomingMessage,
    response: ServerResponse,
  ) {
    super(protocol, session);
    this.request = request;
    this.response = response;
  }
}

/** A WebSocket that carries frames. */
export class WebSocketReceiver extends GenericReceiver {
  override readonly connection: Socket;

  constructor(protocol: string, session: Session, connection: Socket) {
    super(protocol, session);
    this.connection = connection;
  }
}

/** The session of this package behind a `Session`. */
export interface SessionBackend {
  /** Identifier in the URL, or undefined on a WebSocket. */
  readonly sessionId: string | undefined;
  readonly prefix: string;
  readonly protocol: string;
  /** Texts that wait to be sent. */
  readonly queue: readonly string[];
  receiver(session: Session): GenericReceiver | null;
  send(text: string): void;
  close(code: unknown, reason: unknown): void;
  /** Closes the connection and logs, after a listener has thrown or rejected. */
  fail(source: string, error: unknown): void;
}

/** One session. Its connection is the object of the application. */
export class Session {
  session_id: string | null | undefined;
  readonly prefix: string;
  readyState: number = Transport.CONNECTING;
  connection: SockJSConnection | null;
  readonly #backend: SessionBackend;

  constructor(backend: SessionBackend) {
    this.#backend = backend;
    this.session_id = backend.sessionId;
    this.prefix = backend.prefix;
    this.connection = new SockJSConnection(this);
  }

  /** The response or WebSocket that is attached, or null between two polls. */
  get recv(): GenericReceiver | null {
    return this.readyState === Transport.CLOSED ? null : this.#backend.receiver(this);
  }

  /** Messages that wait for the next poll. */
  get send_buffer(): readonly string[] {
    return this.#backend.queue;
  }

  /** Sets the fields of the connection that come from its latest receiving request. */
  decorateConnection(request: IncomingMessage): void {
    const { connection } = this;
    if (connection === null) return;
    const { socket, url = '' } = request;
    const { remoteAddress } = socket;
    // An assignment would throw if the application has made a field read-only.
    if (remoteAddress !== undefined) {
      Reflect.set(connection, 'remoteAddress', remoteAddress);
      Reflect.set(connection, 'remotePort', socket.remotePort);
      Reflect.set(connection, 'address', socket.address());
    }
    Reflect.set(connection, 'url', url);
    Reflect.set(connection, 'pathname', splitTarget(url).path);
    Reflect.set(connection, 'protocol', this.#backend.protocol);
    Reflect.set(connection, 'headers', selectHeaders(request.headers));
  }

  /**
   * Closes the session and logs, after a listener has thrown or rejected.
   * @internal
   */
  failed(source: string, error: unknown): void {
    this.#backend.fail(source, error);
  }

  didMessage(message: unknown): void {
    if (this.readyState === Transport.OPEN) this.#emit('data', message);
  }

  /** @returns false unless the session is open */
  send(message: unknown): boolean {
    if (this.readyState !== Transport.OPEN) return false;
    // oxlint-disable-next-line typescript/restrict-template-expressions -- the application may send anything
    this.#backend.send(`${message}`);
    return true;
  }

  /** @returns false unless the session is open */
  close(code: unknown = 1000, reason: unknown = 'Normal closure'): boolean {
    if (this.readyState !== Transport.OPEN) return false;
    this.readyState = Transport.CLOSING;
    // A replaced `didTimeout` may call `close` after the WebSocket was detached.
    const isAttached = this.recv !== null;
    this.#backend.close(code ?? 1000, reason ?? 'Normal closure');
    // Programs expect the events of a WebSocket before `close` returns.
    if (isAttached && this.#backend.protocol === 'websocket') this.didTimeout();
    return true;
  }

  /** Ends a session, other than that of a raw WebSocket. Some programs replace it. */
  didTimeout(): void {
    this.#end();
  }

  /** Ends the session of a raw WebSocket. Some programs replace it. */
  didClose(): void {
    this.#end();
  }

  /** Emits `end` and `close`, once. */
  #end(): void {
    if (this.readyState === Transport.CLOSED) return;
    this.readyState = Transport.CLOSED;
    this.#emit('end');
    this.#emit('close');
    this.connection = null;
    this.session_id = null;
  }

  #emit(event: string, ...args: readonly unknown[]): void {
    try {
      this.connection?.emit(event, ...args);
    } catch (error) {
      this.failed(`A listener for '${event}'`, error);
    }
  }
}

/** Connection of one client: a stream of messages. */
export class SockJSConnection extends Stream {
  readonly _session: Session;
  id: string = randomUUID();
  headers: Record<string, string> = {};
  prefix: string;
  declare remoteAddress?: string;
  declare remotePort?: number | undefined;
  declare address?: AddressInfo | object;
  declare url: string;
  declare pathname: string;
  declare protocol: string;

  constructor(session: Session) {
    super({ captureRejections: true });
    for (const field of EMITTER_FIELDS) Object.defineProperty(this, field, { enumerable: false });
    this._session = session;
    this.prefix = session.prefix;
  }

  get readable(): boolean {
    return this._session.readyState === Transport.OPEN;
  }

  get writable(): boolean {
    return this._session.readyState === Transport.OPEN;
  }

  get readyState(): number {
    return this._session.readyState;
  }

  /** Sends the text of a value. @returns false unless the connection is open */
  write(message: unknown): boolean {
    return this._session.send(message);
  }

  /** Sends a last message, if there is one, and closes. */
  end(message?: unknown): null {
    if (message) this.write(message);
    this.close();
    return null;
  }

  /**
   * Closes the connection. The client gets the code and the reason unchecked. A WebSocket itself closes with 1000 if it
   * cannot carry the code.
   * @returns false unless the connection is open
   */
  close(code?: unknown, reason?: unknown): boolean {
    return this._session.close(code, reason);
  }

  /** Closes the connection, and removes its listeners. */
  destroy(): this {
    this.end();
    return this.removeAllListeners();
  }

  destroySoon(): this {
    return this.destroy();
  }

  override toString(): string {
    return `<SockJSConnection ${this.id}>`;
  }

  [Symbol.for('nodejs.rejection')](error: unknown, event: string | symbol): void {
    this._session.failed(`A listener for '${String(event)}'`, error);
  }
}
