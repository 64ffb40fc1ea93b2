/** Connects a session of this package to the session and the connection that programs of npm `sockjs` use. */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { SockJSConnection as CoreConnection } from '../../api/connection.ts';
import { CLOSE_REASONS, type CloseReason, isCloseCode } from '../../base/close-reasons.ts';
import { describeError } from '../../base/logging.ts';
import { type TransportName, isWebSocketTransport } from '../../base/transport-name.ts';
import { NodeExchange } from '../../hosts/node/node-exchange.ts';
import { NodeWebSocket } from '../../hosts/node/node-websocket.ts';
import { splitTarget } from '../../http/prefix.ts';
import { createMessage } from '../../sessions/create-message.ts';
import type { Session as CoreSession } from '../../sessions/session.ts';
import {
  type GenericReceiver,
  ResponseReceiver,
  Session,
  type SessionBackend,
  type SockJSConnection,
  Transport,
  WebSocketReceiver,
} from './transport.ts';

const PROTOCOLS: Readonly<Record<TransportName, string>> = {
  websocket: 'websocket',
  rawwebsocket: 'websocket-raw',
  xhr: 'xhr-polling',
  xhr_streaming: 'xhr-streaming',
  eventsource: 'eventsource',
  htmlfile: 'htmlfile',
  jsonp: 'jsonp-polling',
};

const NORMAL_CLOSURE = 1000;
const NORMAL_REASON = 'Normal closure';
const MAX_REASON_BYTES = 123;

/** Shortens a reason to the characters that a WebSocket can carry. */
function shorten(reason: string): string {
  const { read } = new TextEncoder().encodeInto(reason, new Uint8Array(MAX_REASON_BYTES));
  return reason.slice(0, read);
}

/** Returns an argument of `close`, or a default in place of one that cannot be converted, such as a circular object. */
function convertible(value: unknown, defaultValue: unknown): unknown {
  try {
    JSON.stringify([value, String(value), Number(value)]);
    return value;
  } catch {
    return defaultValue;
  }
}

/** Turns unchecked arguments of `close` into a reason. */
function closeReason(uncheckedCode: unknown, uncheckedReason: unknown): CloseReason {
  const code = convertible(uncheckedCode, NORMAL_CLOSURE);
  const reason = convertible(uncheckedReason, NORMAL_REASON);
  const number = Number(code);
  return {
    code: isCloseCode(number) ? number : NORMAL_CLOSURE,
    reason: shorten(String(reason)),
    cause: 'application',
    json: JSON.stringify([code, reason]),
  };
}

class Backend implements SessionBackend {
  readonly sessionId: string | undefined;
  readonly prefix: string;
  readonly protocol: string;
  readonly #core: CoreSession;

  constructor(core: CoreSession, prefix: string, sessionId: string | undefined) {
    this.#core = core;
    this.prefix = prefix;
    this.protocol = PROTOCOLS[core.transport];
    this.sessionId = sessionId;
  }

  get queue(): readonly string[] {
    return this.#core.queue.map(({ data }) => String(data));
  }

  receiver(session: Session): GenericReceiver | null {
    const source = this.#core.receiver?.source;
    if (source instanceof NodeWebSocket) {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the drop-in serves upgrades of HTTP/1.1
      return new WebSocketReceiver(this.protocol, session, source.socket as Socket);
    }
    if (!(source instanceof NodeExchange) || source.response === undefined) return null;
    return new ResponseReceiver(this.protocol, session, source.request, source.response);
  }

  send(text: string): void {
    this.#core.send(createMessage(text));
  }

  close(code: unknown, reason: unknown): void {
    this.#core.close(closeReason(code, reason));
    // Programs close their HTTP server next, which then waits for every response that has not ended.
    this.#core.flush();
  }

  fail(source: string, error: unknown): void {
    const { code } = CLOSE_REASONS.internalError;
    this.#core.context.logger.error(
      `${source} failed; its connection is closed with ${code}: ${describeError(error)}`,
    );
    this.#core.close(CLOSE_REASONS.internalError);
  }
}

const SESSION_ID = /\/([^/.]+)\/[a-z_]+\/?$/;

/** Returns the session id in the path of a request. */
function sessionIdOf({ url = '' }: IncomingMessage): string | undefined {
  return SESSION_ID.exec(splitTarget(url).path)?.[1];
}

/** Passes the events of a session to its connection. */
export class SockJSHandler extends CoreConnection {
  readonly #prefix: string;
  readonly #emitConnection: (connection: SockJSConnection) => void;
  #session: Session | undefined;

  /** @param emitConnection emits `connection` on the server */
  constructor(prefix: string, emitConnection: (connection: SockJSConnection) => void) {
    super();
    this.#prefix = prefix;
    this.#emitConnection = emitConnection;
  }

  /** Called when a receiving request is attached, before `onOpen` for the first one. */
  attached(core: CoreSession, exchange: object): void {
    if (!(exchange instanceof NodeExchange)) return;
    const { request } = exchange;
    const session = (this.#session ??= this.#createSession(core, request));
    try {
      session.decorateConnection(request);
    } catch (error) {
      session.failed('The method decorateConnection', error);
    }
  }

  #createSession(core: CoreSession, request: IncomingMessage): Session {
    const sessionId = isWebSocketTransport(core.transport) ? undefined : sessionIdOf(request);
    return new Session(new Backend(core, this.#prefix, sessionId));
  }

  override onOpen(): void {
    const session = this.#session;
    if (session === undefined || session.connection === null) return;
    session.readyState = Transport.OPEN;
    try {
      this.#emitConnection(session.connection);
    } catch (error) {
      session.failed("A listener for 'connection'", error);
    }
  }

  override onMessage(message: string): void {
    this.#session?.didMessage(message);
  }

  override onBinary(data: Uint8Array): void {
    this.#session?.didMessage(Buffer.from(data));
  }

  /** The events follow `close` of the connection, which flushes. */
  override onClose(): void {
    queueMicrotask(() => this.#end());
  }

  #end(): void {
    const session = this.#session;
    if (session === undefined || session.readyState === Transport.CLOSED) return;
    try {
      if (this.transport === 'rawwebsocket') session.didClose();
      else session.didTimeout();
    } catch (error) {
      session.failed('A replaced method of the session', error);
    }
  }
}
