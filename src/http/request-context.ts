/**
 * What the endpoints of one router share: its settings, its sessions, its guard, how a request is turned
 * into the key and the facts of a session, and how one is refused.
 */
import { PROCESS_MEMORY_BUDGET } from '../base/memory-budget.ts';
import { ConnectionInfo, type RequestHead } from '../base/connection-info.ts';
import { SockJSError } from '../base/errors.ts';
import { type SockJSLogger, escapeControl } from '../base/logging.ts';
import { ClientScript } from './client-script.ts';
import { addressKey } from '../base/address-key.ts';
import { type ClientAddress, ClientAddressReader } from './client-address.ts';
import type { BodyLimits, Exchange, HeaderList } from './exchange.ts';
import { PLAIN_TEXT } from './headers.ts';
import { OriginGuard } from './origin-guard.ts';
import { REFUSALS, type Refusal, type RefusalReason, refusalHeaders } from '../base/refusal.ts';
import type { SessionRegistry } from '../sessions/session-registry.ts';
import type { Session } from '../sessions/session.ts';
import type { TransportName } from '../base/transport-name.ts';
import type { HttpSettings } from './settings.ts';
import { MAX_PENDING_DECISIONS, PendingDecisions } from './pending-decisions.ts';

/** A request on its way to its endpoint. */
export interface Hit {
  readonly exchange: Exchange;
  /** Who asks, as seen through trusted proxies. */
  readonly client: ClientAddress;
  readonly service: Service;
  /** Secret: never logged, never shown to the application. '' where the URL has none. */
  readonly sessionId: string;
  /** What goes into every answer: the policies of the route add to it, and so may the endpoint. */
  readonly headers: HeaderList;
}

export type Endpoint = (hit: Hit) => void | Promise<void>;

const REFUSALS_REMEMBERED = 100;
const LONGEST_SHOWN = 100;

/** What a client sent, fit for a log line: escaped and cut. */
export function quoteForLog(text: string): string {
  const cut = text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}…` : text;
  return escapeControl(JSON.stringify(cut));
}

/** What an operator may have to mend; each is said once. */
const HINTS = {
  clientScript:
    'sockjs.js was asked for, but there is no client to serve: ' +
    'run `npm install sockjs-client`, or set sockjsUrl to a URL or a file: URL.',
  upgradeUnseen:
    'a WebSocket request came as an ordinary one. Middleware does not see upgrades: call attach(server).',
  upgradeLost:
    'a WebSocket request came without its Upgrade and Connection headers: a proxy on the way dropped them. ' +
    'It must pass both on: nginx with proxy_http_version 1.1, proxy_set_header Upgrade $http_upgrade and ' +
    'proxy_set_header Connection "upgrade"; HAProxy and Caddy do it of themselves.',
  bodyTooLarge: 'refused a request body with 413: it was longer than maxMessageBytes.',
  bodyTimeout: 'refused a request body with 408: it took longer than bodyTimeout.',
  noMemory:
    'refused a request body with 503: more than maxTotalBufferedBytes wait in this process.',
  pendingLimit: `refused a request with 503: ${MAX_PENDING_DECISIONS} others wait for authorize or allowedOrigins.`,
  sessionLimit: 'refused a new session with 503: there are maxSessions already.',
  sessionsOfAddress:
    'refused a new session with 503: there are maxSessionsPerAddress of one address already. ' +
    'If that is a proxy of yours, name it in trustedProxies.',
} as const satisfies Readonly<Record<string, string>>;

type Hint = keyof typeof HINTS;

function isHint(name: string): name is Hint {
  return Object.hasOwn(HINTS, name);
}

export class Service {
  readonly prefix: string;
  readonly settings: HttpSettings;
  readonly logger: SockJSLogger;
  readonly sessions: SessionRegistry;
  readonly clientScript: ClientScript;
  readonly bodyLimits: BodyLimits;
  /** Requests that wait for `allowedOrigins`. */
  readonly undecidedOrigins = new PendingDecisions<Hit>();
  /** Requests that wait for `authorize`. They hold up nobody whose session is open. */
  readonly undecidedSessions = new PendingDecisions<Hit>();
  readonly #guard: OriginGuard;
  readonly #origins: ClientAddressReader;
  readonly #refused = new Set<string>();
  readonly #hinted = new Set<Hint>();

  constructor(
    prefix: string,
    settings: HttpSettings,
    logger: SockJSLogger,
    sessions: SessionRegistry,
  ) {
    this.prefix = prefix;
    this.settings = settings;
    this.logger = logger;
    this.sessions = sessions;
    this.clientScript = new ClientScript(settings.sockjsUrl);
    this.bodyLimits = {
      bytes: settings.maxMessageBytes,
      milliseconds: settings.bodyTimeout,
      budget: PROCESS_MEMORY_BUDGET,
      totalBytes: settings.maxTotalBufferedBytes,
    };
    this.#guard = new OriginGuard(settings.allowedOrigins);
    this.#origins = new ClientAddressReader(settings.trustedProxies);
  }

  isEnabled(transport: TransportName): boolean {
    return !this.settings.disabledTransports.includes(transport);
  }

  /** Who asks, as seen through trusted proxies. */
  clientOf(exchange: Exchange): ClientAddress {
    return this.#origins.read(exchange);
  }

  /**
   * Whether the page that this request comes from may use the service; a refusal is logged. Undefined if the
   * application ought to be asked, and so many wait for its answer that it is not.
   */
  admits(exchange: Exchange, { host }: ClientAddress): boolean | Promise<boolean> | undefined {
    const { allowed, origin = '' } = this.#guard.judge(exchange, host);
    if (allowed !== undefined) return this.#noted(allowed, origin);
    if (this.undecidedOrigins.isFull) return undefined;
    const answer = this.#guard.ask(origin);
    if (typeof answer === 'boolean') return this.#noted(answer, origin);
    return answer.then((later) => this.#noted(later, origin));
  }

  /** The router is closed: nobody waits for the application any more. */
  giveUpUndecided(): void {
    for (const { waiting } of [this.undecidedOrigins, this.undecidedSessions])
      for (const asked of waiting) this.refuse(asked, 'draining');
  }

  findSession(hit: Hit): Session | undefined {
    return this.sessions.find(this.keyOf(hit));
  }

  /** A session that later requests find by its id. */
  openSession(hit: Hit, transport: TransportName, user: unknown): Session {
    const info = new ConnectionInfo(this.headOf(hit));
    return this.sessions.open({ transport, info, user, key: this.keyOf(hit) });
  }

  /** The session of a WebSocket: two of them may use the same id. */
  openWebSocketSession(hit: Hit, transport: TransportName, user: unknown): Session {
    const info = new ConnectionInfo(this.headOf(hit));
    return this.sessions.open({ transport, info, user, key: undefined });
  }

  /**
   * The client's part is in the key: so somebody else's id is simply unknown here, and no answer tells that
   * it exists.
   */
  keyOf(hit: Hit): string {
    const { verifyIp } = this.settings;
    if (verifyIp === false) return hit.sessionId;
    if (verifyIp === true) return `${hit.sessionId} ${addressKey(hit.client.address)}`;
    const answer: unknown = verifyIp(new ConnectionInfo(this.headOf(hit)));
    if (typeof answer === 'string') return `${hit.sessionId} ${answer}`;
    throw new SockJSError('ERR_SETTING', 'The function verifyIp must answer a string, at once.');
  }

  headOf({ exchange, client, sessionId }: Hit): RequestHead {
    const { path } = exchange;
    const end = sessionId === '' ? path.length : path.lastIndexOf(`/${sessionId}/`);
    return {
      address: client.address,
      path: this.prefix + path.slice(0, end),
      query: exchange.query,
      rawHeaders: exchange.rawHeaders,
      secure: client.secure,
    };
  }

  /** Answers with a refusal, and tells the statistics why. */
  refuse(
    { exchange, client, headers }: Hit,
    reason: RefusalReason,
    refusal: Refusal = REFUSALS[reason],
  ): void {
    const { status, text } = refusal;
    this.sessions.stats.refused(reason, status, client.address);
    if (isHint(reason)) this.hint(reason);
    const own = headers ?? [];
    if (text === '') exchange.answer(status, refusalHeaders(refusal, own));
    else
      exchange.answer(status, refusalHeaders(refusal, [...own, 'Content-Type', PLAIN_TEXT]), text);
  }

  /** Warns of something that an operator has to mend, once for each cause. */
  hint(hint: Hint): void {
    if (this.#hinted.has(hint)) return;
    this.#hinted.add(hint);
    this.#warn(HINTS[hint]);
  }

  #noted(allowed: boolean, origin: string): boolean {
    if (!allowed) this.#warnOfOrigin(origin);
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
      const name = quoteForLog(origin);
      this.#warn(
        `refused a page of origin ${name} with 403. To admit it, set allowedOrigins: [${name}].`,
      );
    }
  }

  #warn(line: string): void {
    this.logger.warn(`${this.prefix || '/'}: ${line}`);
  }
}
