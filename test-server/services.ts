/**
 * The services that conformance suites of SockJS expect, each a small connection class below its own prefix. Pages of
 * any origin may use them, and only `/cookie_needed_echo` sets a cookie.
 */
import type { AttachableServer } from '../src/http/server-host.ts';
import {
  type SockJSLogger,
  SockJSConnection,
  SockJSRouter,
  type SockJSSettings,
} from '../src/index.ts';

class Echo extends SockJSConnection {
  override onMessage(message: string): void {
    this.send(message);
  }

  override onBinary(data: Uint8Array): void {
    this.send(data);
  }
}

class Close extends SockJSConnection {
  override onOpen(): void {
    this.close(3000, 'Go away!');
  }
}

class Ticker extends SockJSConnection {
  #timer: NodeJS.Timeout | undefined;

  override onOpen(): void {
    this.#timer = setInterval(() => this.send('tick!'), 1000);
  }

  override onClose(): void {
    clearInterval(this.#timer);
  }
}

class Broadcast extends SockJSConnection {
  static readonly #clients = new Set<Broadcast>();

  override onOpen(): void {
    Broadcast.#clients.add(this);
  }

  override onMessage(message: string): void {
    this.broadcast(Broadcast.#clients, message);
  }

  override onClose(): void {
    Broadcast.#clients.delete(this);
  }
}

const LARGEST_EXPONENT = 18;

/** Returns 2^n times `x` for a whole number n from 1 to 18, and ignores other messages. */
class Amplify extends SockJSConnection {
  override onMessage(message: string): void {
    const exponent = Number(message);
    if (!Number.isInteger(exponent) || exponent < 1 || exponent > LARGEST_EXPONENT) return;
    this.send('x'.repeat(2 ** exponent));
  }
}

/**
 * Creates all services and attaches them to a server.
 * @param logger replaces the console
 * @returns the routers, to be closed before the server
 */
export function attachServices(server: AttachableServer, logger?: SockJSLogger): SockJSRouter[] {
  const settings: SockJSSettings = { allowedOrigins: '*', jsessionid: false, logger };
  const routers = [
    // Low, so that a suite can observe the end of a streaming response.
    new SockJSRouter(Echo, '/echo', { ...settings, responseLimit: 4096 }),
    new SockJSRouter(Echo, '/disabled_websocket_echo', {
      ...settings,
      disabledTransports: ['websocket', 'rawwebsocket'],
    }),
    new SockJSRouter(Echo, '/cookie_needed_echo', { ...settings, jsessionid: true }),
    new SockJSRouter(Close, '/close', settings),
    new SockJSRouter(Ticker, '/ticker', settings),
    new SockJSRouter(Broadcast, '/broadcast', settings),
    new SockJSRouter(Amplify, '/amplify', settings),
  ];
  for (const router of routers) router.attach(server);
  return routers;
}
