/** A replacement for the class of sockjs-client, for code that expects it. It does not connect again. */
import type { DispatchedEvent } from './events.ts';
import { ABNORMAL } from './loss.ts';
import { ReconnectingSocket } from './socket.ts';
import type { Transport } from './transport.ts';
import { TRANSPORTS } from './transports/index.ts';

/** Options of `SockJS`. Others of sockjs-client have no effect. */
export interface SockJSOptions {
  /** Name of the transport, or a list of names. Those that this client does not have are ignored. */
  readonly transports?: string | readonly string[];
  /** The part `<server>` of session URLs. */
  readonly server?: string;
  /** Length of a random session id, or a function that returns one. */
  readonly sessionId?: number | (() => string);
  /** Minimal time for a transport to open, in milliseconds. */
  readonly timeout?: number;
  readonly [other: string]: unknown;
}

/** Returns the transports in the order of their names. */
function findTransports(names: string | readonly string[] = []): readonly Transport[] {
  const wanted = [names].flat();
  // An empty list stands for all transports, as in sockjs-client.
  if (wanted.length === 0) return TRANSPORTS;
  return wanted.flatMap((wantedName) => TRANSPORTS.filter(({ name }) => name === wantedName));
}

function randomId(length = 8): string {
  const bytes = crypto.getRandomValues(new Uint8Array(length));
  return Array.from(bytes, (byte) => (byte % 32).toString(32)).join('');
}

/**
 * A connection with the interface and the close codes of sockjs-client.
 *
 * @example
 * new StompJs.Client({ webSocketFactory: () => new SockJS('/stomp') })
 */
export class SockJS extends ReconnectingSocket {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static readonly CLOSING = 2;
  static readonly CLOSED = 3;
  readonly protocol = '';
  readonly extensions = '';
  /** Never called, as in sockjs-client. */
  onerror: ((event: Event) => void) | null = null;
  /** Whether a transport has been attempted, or there is none. */
  readonly #attempt: { hasStarted: boolean };

  /**
   * @param _protocols ignored, as in sockjs-client
   * @throws TypeError for an invalid URL or option
   */
  constructor(url: string | URL, _protocols?: unknown, options?: SockJSOptions | null) {
    const { transports, server, sessionId, timeout } = options ?? {};
    const found = findTransports(transports);
    const attempt = { hasStarted: found.length === 0 };
    super(url, {
      transports: found,
      ...(server !== undefined && { server }),
      ...(timeout !== undefined && { timeout }),
      sessionId: () => {
        attempt.hasStarted = true;
        return typeof sessionId === 'function' ? sessionId() : randomId(sessionId);
      },
      shouldReconnect: () => false,
      // The server need not send heartbeats.
      heartbeatTimeout: 0,
    });
    this.#attempt = attempt;
  }

  /**
   * Sends a message. It has no effect once the connection is closed.
   * @throws an error with the name `InvalidStateError` while it is connecting
   */
  override send(message: unknown): boolean {
    if (this.readyState === SockJS.CONNECTING)
      throw new DOMException('The connection has not been established yet', 'InvalidStateError');
    return super.send(String(message));
  }

  override close(code = 1000, reason = 'Normal closure'): void {
    super.close(code, reason);
  }

  override dispatchEvent(event: DispatchedEvent): boolean {
    const isFailure = event.type === 'close' && this.transport === '';
    if (isFailure && Reflect.get(event, 'code') === ABNORMAL) {
      const failure = this.#attempt.hasStarted
        ? { code: 2000, reason: 'All transports failed' }
        : { code: 1002, reason: 'Cannot connect to server' };
      Object.assign(event, failure);
    }
    return super.dispatchEvent(event);
  }
}
