import { addressKey } from '../base/address-key.ts';
import { ApplicationError } from '../base/application-error.ts';
import { ConnectionInfo, type RequestHead } from '../base/connection-info.ts';
import { SockJSError } from '../base/errors.ts';
import { pathForLog } from '../base/logging.ts';
import type { ClientMemory } from '../base/memory-budget.ts';
import { REFUSALS, type Refusal, type RefusalReason, refusalHeaders } from '../base/refusal.ts';
import { ignoreRejection } from '../base/thenable.ts';
import { type TransportName, isWebSocketTransport } from '../base/transport-name.ts';
import type { Session } from '../sessions/session.ts';
import type { ClientAddress } from './client-address.ts';
import type { Exchange, HeaderList } from './exchange.ts';
import { PLAIN_TEXT } from './headers.ts';
import { isOperatorWarning } from './operator-warnings.ts';
import type { RouterState } from './router-state.ts';

/** Handles a request whose path, method and origin have been checked. */
export type Handler = (context: RequestContext) => void | Promise<void>;

function callVerifyIp(verifyIp: (info: ConnectionInfo) => unknown, info: ConnectionInfo): string {
  try {
    const part = verifyIp(info);
    if (typeof part === 'string') return part;
    ignoreRejection(part);
    throw new SockJSError(
      'ERR_SETTING',
      'The function verifyIp must return a string, not a promise.',
    );
  } catch (error) {
    throw new ApplicationError('verifyIp', error);
  }
}

/** One request, with everything that its handler needs. */
export class RequestContext {
  readonly state: RouterState;
  readonly exchange: Exchange;
  /** Address of the client, as forwarded by trusted proxies. */
  readonly client: ClientAddress;
  /** Secret: never logged and never passed to the application. '' if the URL has none. */
  readonly sessionId: string;
  /** Headers of the response. The policies of the route and the handler add to them. */
  readonly headers: HeaderList = [];
  #memory: ClientMemory | undefined;

  constructor(state: RouterState, exchange: Exchange, sessionId: string) {
    this.state = state;
    this.exchange = exchange;
    this.client = exchange.relayedClient ?? state.addresses.read(exchange);
    this.sessionId = sessionId;
  }

  /**
   * Key of the session in the registry. It includes the client's address, so that the session id of another client is
   * unknown, and no response reveals that it exists.
   * @throws ApplicationError if the function `verifyIp` throws, or returns anything but a string
   */
  get key(): string {
    const { verifyIp } = this.state.settings;
    if (verifyIp === false) return this.sessionId;
    if (verifyIp === true) return `${this.sessionId} ${addressKey(this.client.address)}`;
    return `${this.sessionId} ${callVerifyIp(verifyIp, this.info)}`;
  }

  /** The request as the application sees it. */
  get info(): ConnectionInfo {
    return new ConnectionInfo(this.head);
  }

  /** Parts of the request that `ConnectionInfo` keeps. */
  get head(): RequestHead {
    const { path, query, rawHeaders } = this.exchange;
    const end = this.sessionId === '' ? path.length : path.lastIndexOf(`/${this.sessionId}/`);
    const { address, secure } = this.client;
    return { address, path: this.state.prefix + path.slice(0, end), query, rawHeaders, secure };
  }

  /** The memory budget of the client. */
  get memory(): ClientMemory {
    return (this.#memory ??= this.state.sessions.memory.forClient(this.client.address));
  }

  /** Finds the session of the URL. */
  session(): Session | undefined {
    return this.state.sessions.find(this.key);
  }

  /**
   * Opens a session. A WebSocket session has no key, since two WebSockets may use one session id.
   * @returns undefined if code of the application has closed the router meanwhile, and the request is refused
   */
  openSession(transport: TransportName, user: unknown): Session | undefined {
    const key = isWebSocketTransport(transport) ? undefined : this.key;
    const { info, memory } = this;
    const session = this.state.sessions.open({ transport, info, user, memory, key });
    if (session === undefined) this.refuse('draining');
    return session;
  }

  /** Responds with a refusal, and counts it under its reason. */
  refuse(reason: RefusalReason, refusal: Refusal = REFUSALS[reason]): void {
    const { exchange, headers, state } = this;
    const { status, text } = refusal;
    state.sessions.stats.refused(reason, status, this.client.address);
    state.logger.debug?.(
      `refused ${exchange.method} ${pathForLog(state.prefix, exchange.path)} from ${this.client.address} ` +
        `with ${status}: ${reason}`,
    );
    if (isOperatorWarning(reason)) state.warnings.warn(reason);
    if (text === '') return exchange.respond(status, refusalHeaders(refusal, headers));
    const withType = [...headers, 'Content-Type', PLAIN_TEXT];
    return exchange.respond(status, refusalHeaders(refusal, withType), text);
  }
}
