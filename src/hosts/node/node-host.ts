/**
 * The host that every Node has: requests and upgrades of `node:http` (and `node:https`). Nothing else in the
 * library knows it.
 */
import { createHash } from 'node:crypto';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { Duplex } from 'node:stream';
import { type MemoryBudget, PROCESS_MEMORY_BUDGET } from '../../base/memory-budget.ts';
import type { Exchange } from '../../http/exchange.ts';
import { acceptHandshake, checkHandshake, isWebSocketRequest } from '../../websocket/handshake.ts';
import { NodeExchange, type Target } from './node-exchange.ts';
import { type WebSocketSettings, serveWebSocket } from './node-websocket.ts';

function ignore(): void {}

function sha1(text: string): string {
  return createHash('sha1').update(text).digest('base64');
}

/** Interval in which Node checks a server of ours for late requests; Node's default is 30 s. */
const CHECK_INTERVAL_MS = 5000;

/** Creates a server whose requests have to arrive within these delays, in milliseconds. */
export function createHttpServer(headersTimeout: number, bodyTimeout: number): Server {
  return createServer({
    headersTimeout,
    requestTimeout: headersTimeout + bodyTimeout,
    connectionsCheckingInterval: Math.min(headersTimeout, CHECK_INTERVAL_MS),
  });
}

/** The settings that concern a host. */
export interface HostSettings extends WebSocketSettings {
  readonly disableNagle: boolean;
  readonly noKeepAlive: boolean;
}

/** Makes exchanges and WebSockets for one router. */
export class NodeHost {
  readonly #settings: HostSettings;
  readonly #budget: MemoryBudget;

  constructor(settings: HostSettings, budget: MemoryBudget = PROCESS_MEMORY_BUDGET) {
    this.#settings = settings;
    this.#budget = budget;
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
    const fault = checkHandshake(request);
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
          stream.write(acceptHandshake(request, sha1));
          serveWebSocket(stream, this.#settings, this.#budget, handler);
          stream.uncork();
        }),
    );
  }
}
