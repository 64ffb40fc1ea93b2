/**
 * What the endpoints of one router share: its settings, its sessions, its guard, and how a request is
 * turned into the key and the facts of a session.
 */
import { ClientScript } from './http/client-script.ts';
import { type ClientOrigin, ClientOriginReader, addressKey } from './http/client-address.ts';
import { ConnectionInfo } from './http/connection-info.ts';
import type { Exchange, HeaderList } from './http/exchange.ts';
import { OriginGuard } from './http/origin.ts';
import type { Directory } from './sessions/directory.ts';
import type { LiveSession } from './sessions/live-session.ts';
import type { Logger, Settings, TransportName } from './settings.ts';

/** A request that has found its endpoint. */
export interface Hit {
  readonly exchange: Exchange;
  readonly service: Service;
  /** Secret: never logged, never shown to the application. '' where the URL has none. */
  readonly sessionId: string;
  /** What the policies of the route put into every answer. */
  readonly headers: HeaderList;
}

export type Endpoint = (hit: Hit) => void | Promise<void>;

const REFUSALS_REMEMBERED = 100;
const LONGEST_SHOWN = 100;

/** What a client sent, fit for a log line: escaped and cut. */
export function shown(text: string): string {
  const cut = text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}…` : text;
  return JSON.stringify(cut);
}

export class Service {
  readonly prefix: string;
  readonly settings: Settings;
  readonly logger: Logger;
  readonly sessions: Directory;
  readonly clientScript: ClientScript;
  readonly #guard: OriginGuard;
  readonly #origins: ClientOriginReader;
  readonly #refused = new Set<string>();

  constructor(prefix: string, settings: Settings, logger: Logger, sessions: Directory) {
    this.prefix = prefix;
    this.settings = settings;
    this.logger = logger;
    this.sessions = sessions;
    this.clientScript = new ClientScript(settings.sockjsUrl);
    this.#guard = new OriginGuard(settings.allowedOrigins);
    this.#origins = new ClientOriginReader(settings.trustedProxies);
  }

  isEnabled(transport: TransportName): boolean {
    return !this.settings.disabledTransports.includes(transport);
  }

  /** Whether the page that this request comes from may use the service; a refusal is logged. */
  admits(exchange: Exchange): boolean | Promise<boolean> {
    const { host } = this.#origins.read(exchange);
    const { allowed, origin } = this.#guard.judge({
      host,
      header: (name) => exchange.header(name),
    });
    if (typeof allowed === 'boolean') return this.#noted(allowed, origin);
    return allowed.then((answer) => this.#noted(answer, origin));
  }

  findSession({ exchange, sessionId }: Hit): LiveSession | undefined {
    return this.sessions.find(this.#keyOf(sessionId, this.#origins.read(exchange)));
  }

  /** A session that later requests find by its id. */
  openSession({ exchange, sessionId }: Hit, transport: TransportName): LiveSession {
    const client = this.#origins.read(exchange);
    return this.sessions.open(
      transport,
      this.#infoOf(exchange, client, sessionId),
      this.#keyOf(sessionId, client),
    );
  }

  /** The session of a WebSocket: two of them may use the same id. */
  openWebSocketSession({ exchange, sessionId }: Hit, transport: TransportName): LiveSession {
    const client = this.#origins.read(exchange);
    return this.sessions.open(transport, this.#infoOf(exchange, client, sessionId));
  }

  /**
   * With `verifyIp` the address is part of the key. So somebody else's id is simply unknown here, and
   * no answer tells that it exists.
   */
  #keyOf(sessionId: string, client: ClientOrigin): string {
    return this.settings.verifyIp ? `${sessionId} ${addressKey(client.address)}` : sessionId;
  }

  #infoOf(exchange: Exchange, client: ClientOrigin, sessionId: string): ConnectionInfo {
    const { path } = exchange;
    const end = sessionId === '' ? path.length : path.lastIndexOf(`/${sessionId}/`);
    return new ConnectionInfo({
      address: client.address,
      path: this.prefix + path.slice(0, end),
      query: exchange.query,
      rawHeaders: exchange.rawHeaders,
      secure: client.secure,
    });
  }

  #noted(allowed: boolean, origin: string): boolean {
    if (allowed || this.#refused.has(origin) || this.#refused.size >= REFUSALS_REMEMBERED)
      return allowed;
    this.#refused.add(origin);
    this.logger.warn(
      `${this.prefix || '/'}: refused a page of origin ${shown(origin)} with 403. ` +
        `To admit it, set allowedOrigins: [${shown(origin)}].`,
    );
    return allowed;
  }
}
