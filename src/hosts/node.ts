/**
 * The host that every Node has: requests and upgrades of `node:http` (and `node:https`). Nothing else in the
 * library knows it.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { type Backlog, PROCESS_BACKLOG } from '../backlog.ts';
import type { Exchange } from '../http/exchange.ts';
import { handshakeFault, isWebSocketRequest, shakeHands } from './handshake.ts';
import { NodeExchange, type Target } from './node-exchange.ts';
import { type WebSocketSettings, serveWebSocket } from './web-socket.ts';

function ignore(): void {}

/** The settings that concern a host. */
export interface HostSettings extends WebSocketSettings {
  readonly disableNagle: boolean;
  readonly noKeepAlive: boolean;
}

/** Makes exchanges and WebSockets for one router. */
export class NodeHost {
  readonly #settings: HostSettings;
  readonly #backlog: Backlog;

  constructor(settings: HostSettings, backlog: Backlog = PROCESS_BACKLOG) {
    this.#settings = settings;
    this.#backlog = backlog;
  }

  /** An ordinary request. */
  request(request: IncomingMessage, response: ServerResponse, target: Target): Exchange {
    const { disableNagle, noKeepAlive, writeTimeout } = this.#settings;
    if (!disableNagle) request.socket.setNoDelay(false);
    if (noKeepAlive) response.shouldKeepAlive = false;
    response.on('error', ignore);
    return new NodeExchange(request, response, target, writeTimeout);
  }

  /** A request for an upgrade, to a WebSocket or to something that is answered as if it had not asked. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, target: Target): Exchange {
    const { writeTimeout } = this.#settings;
    if (!isWebSocketRequest(request)) {
      return new NodeExchange(request, undefined, target, writeTimeout);
    }
    const fault = handshakeFault(request);
    return new NodeExchange(
      request,
      undefined,
      target,
      writeTimeout,
      fault ??
        ((handler) => {
          if (socket.destroyed) return;
          const stream = request.socket;
          stream.setTimeout(0);
          stream.setNoDelay(this.#settings.disableNagle);
          if (head.length > 0) stream.unshift(head);
          stream.cork(); // The first frame goes out with the handshake.
          stream.write(shakeHands(request));
          serveWebSocket(stream, this.#settings, this.#backlog, handler);
          stream.uncork();
        }),
    );
  }
}
