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
  /** Who asks, as seen through trusted proxies. */
  readonly client: ClientOrigin;
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
  /** Requests that wait for an `allowedOrigins` that answers later. */
  pendingVerdicts = 0;
  readonly #guard: OriginGuard;
  readonly #origins: ClientOriginReader;
  readonly #refused = new Set<string>();
  readonly #warned = new Set<string>();

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

  /** Who asks, as seen through trusted proxies. */
  clientOf(exchange: Exchange): ClientOrigin {
    return this.#origins.read(exchange);
  }

  /** Whether the page that this request comes from may use the service; a refusal is logged. */
  admits(exchange: Exchange, { host }: ClientOrigin): boolean | Promise<boolean> {
    const { allowed, origin } = this.#guard.judge({
      host,
      header: (name) => exchange.header(name),
    });
    if (typeof allowed === 'boolean') return this.#noted(allowed, origin);
    return allowed.then((answer) => this.#noted(answer, origin));
  }

  findSession(hit: Hit): LiveSession | undefined {
    return this.sessions.find(this.#keyOf(hit));
  }

  /** A session that later requests find by its id. */
  openSession(hit: Hit, transport: TransportName): LiveSession {
    return this.sessions.open(transport, this.#infoOf(hit), this.#keyOf(hit));
  }

  /** The session of a WebSocket: two of them may use the same id. */
  openWebSocketSession(hit: Hit, transport: TransportName): LiveSession {
    return this.sessions.open(transport, this.#infoOf(hit));
  }

  /** Warns of something that an operator has to mend, once for each cause. */
  warnOnce(cause: 'no client script' | 'upgrade unseen' | 'upgrade lost', line: string): void {
    if (this.#warned.has(cause)) return;
    this.#warned.add(cause);
    this.#warn(line);
  }

  /**
   * With `verifyIp` the address is part of the key. So somebody else's id is simply unknown here, and
   * no answer tells that it exists.
   */
  #keyOf({ sessionId, client }: Hit): string {
    return this.settings.verifyIp ? `${sessionId} ${addressKey(client.address)}` : sessionId;
  }

  #infoOf({ exchange, client, sessionId }: Hit): ConnectionInfo {
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

  #noted(allowed: boolean, origin: string | undefined): boolean {
    if (!allowed) this.#warnOfOrigin(origin ?? '');
    return allowed;
  }

  #warnOfOrigin(origin: string): void {
    if (this.#refused.has(origin) || this.#refused.size >= REFUSALS_REMEMBERED) return;
    this.#refused.add(origin);
    if (origin === '') {
      this.#warn(
        'refused a page with 403 that hides its origin: its Referrer-Policy must let it be sent.',
      );
    } else {
      const name = shown(origin);
      this.#warn(
        `refused a page of origin ${name} with 403. To admit it, set allowedOrigins: [${name}].`,
      );
    }
  }

  #warn(line: string): void {
    this.logger.warn(`${this.prefix || '/'}: ${line}`);
  }
}
