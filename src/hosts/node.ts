/**
 * The host that every Node has: requests and upgrades of `node:http` (and `node:https`), WebSockets by
 * `ws`. Nothing else in the library knows either of them.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import type { Exchange } from '../http/exchange.ts';
import { NodeExchange, type Target } from './node-exchange.ts';
import { serveWebSocket } from './ws.ts';

function ignore(): void {}

/** The settings that concern a host. */
export interface HostSettings {
  readonly maxMessageBytes: number;
  readonly writeTimeout: number;
  readonly disableNagle: boolean;
  readonly noKeepAlive: boolean;
}

/** Makes exchanges and WebSockets for one router. */
export class NodeHost {
  readonly #webSockets: WebSocketServer;
  readonly #noDelay: boolean;
  readonly #keepAlive: boolean;
  readonly #writeTimeout: number;

  constructor(settings: HostSettings) {
    this.#noDelay = settings.disableNagle;
    this.#keepAlive = !settings.noKeepAlive;
    this.#writeTimeout = settings.writeTimeout;
    this.#webSockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: settings.maxMessageBytes,
      autoPong: false, // Ours are answered only while the client takes what it gets.
    });
  }

  /** An ordinary request. */
  request(request: IncomingMessage, response: ServerResponse, target: Target): Exchange {
    if (!this.#noDelay) request.socket.setNoDelay(false);
    if (!this.#keepAlive) response.shouldKeepAlive = false;
    response.on('error', ignore);
    return new NodeExchange(request, response, target, this.#writeTimeout);
  }

  /** A request for an upgrade, to a WebSocket or to something that is answered as if it had not asked. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, target: Target): Exchange {
    const timeout = this.#writeTimeout;
    if (!isWebSocketRequest(request)) return new NodeExchange(request, undefined, target, timeout);
    return new NodeExchange(request, undefined, target, timeout, (handler) => {
      this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
        if (!this.#noDelay) request.socket.setNoDelay(false);
        serveWebSocket(webSocket, request.socket, timeout, handler);
      });
    });
  }
}

/** Whether it asks for a WebSocket; other upgrades are for others. */
export function isWebSocketRequest(request: IncomingMessage): boolean {
  return request.method === 'GET' && request.headers.upgrade?.toLowerCase() === 'websocket';
}
