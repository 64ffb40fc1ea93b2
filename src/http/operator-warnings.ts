import { type SockJSLogger, quoteForLog } from '../base/logging.ts';

const WARNINGS = {
  clientScript:
    'sockjs.js was requested, but sockjs-client is not installed, or sockjsUrl is a file that cannot be read: ' +
    'run `npm install sockjs-client`, or set sockjsUrl to a URL or a file: URL.',
  clientScriptUnreadable:
    'sockjs.js was refused with 500, because its file cannot be read. It is tried again for each request.',
  browserClient:
    'client.js was requested, but the package sockjs-server is not installed where this process runs. ' +
    'Serve node_modules/sockjs-server/dist/esm/client.js yourself, or bundle sockjs-server/client into the page.',
  browserClientUnreadable:
    'client.js was refused with 500, because its file cannot be read. It is tried again for each request.',
  upgradeByMiddleware:
    'a WebSocket request arrived as an ordinary request. Middleware does not see upgrades: call attach(server).',
  upgradeUnhandled:
    "an upgrade at a path of the application was refused with 404: no 'upgrade' listener has used its socket for 3 s. " +
    'Such a listener must accept or destroy every socket that it gets.',
  upgradeLost:
    'a WebSocket request arrived without its Upgrade and Connection headers: a proxy dropped them. ' +
    'Configure it to pass both on: nginx with proxy_http_version 1.1, proxy_set_header Upgrade $http_upgrade and ' +
    'proxy_set_header Connection "upgrade"; HAProxy and Caddy do so by default.',
  plainWebSocket:
    'a WebSocket request arrived at the prefix itself. Use sockjs-client, or connect without it to ' +
    "<prefix>/websocket: new WebSocket('ws://<host><prefix>/websocket').",
  wholeSite:
    'the router has no prefix, and takes all requests of a server that has other listeners, which get none. ' +
    "Give it a prefix, such as '/echo'.",
  authorizePending:
    'authorize has been pending for 5 s. Its client waits, and gets 503 after authorizeTimeout.',
  allowedOriginsPending:
    'allowedOrigins has been pending for 5 s. Its client waits, and gets 503 after authorizeTimeout.',
  bodyConsumed:
    'refused a message with 500: middleware has read the body before it reached the router. ' +
    'Use router.middleware before body parsers such as express.json() and express.text(), or attach(server).',
  httpVersion:
    'refused an HTTP/2 request with 505: handle() and middleware serve only HTTP/1.1. ' +
    'Call attach(server), which serves both.',
  connectProtocol:
    'a page uses HTTP/2, but opened its WebSocket on a second connection over HTTP/1.1. To serve WebSockets on the ' +
    'first one, create the server with settings: { enableConnectProtocol: true }.',
  streamLimit:
    'refused a stream of HTTP/2: 1000 of its connection are open. If it is the connection of a proxy, create the ' +
    'server with settings: { maxConcurrentStreams }, which tells the proxy to open more connections.',
  bodyTooLarge: 'refused a request body with 413: it was longer than maxMessageBytes.',
  bodyTimeout: 'refused a request body with 408: it took longer than bodyTimeout.',
  memoryLimit:
    'refused a request body with 503: more than maxTotalBufferedBytes are buffered in this process, ' +
    "or more than maxBufferedBytesPerAddress for the client's address.",
  pendingLimit:
    'refused a request with 503: too many others wait for authorize, allowedOrigins or the backplane; ' +
    'see maxPendingDecisions and maxPendingDecisionsPerAddress.',
  pendingTimeout:
    'refused a request with 503: authorize or allowedOrigins took longer than authorizeTimeout.',
  sessionLimit: 'refused a new session with 503: maxSessions are open.',
  addressSessionLimit:
    'refused a new session with 503: maxSessionsPerAddress of one address are open. ' +
    'If that is the address of your proxy, name it in trustedProxies.',
} as const satisfies Readonly<Record<string, string>>;

export type OperatorWarning = keyof typeof WARNINGS;

export function isOperatorWarning(name: string): name is OperatorWarning {
  return Object.hasOwn(WARNINGS, name);
}

const LOST_PORT =
  ' Its host is that of the request, without the port. If a proxy has dropped the port from the Host header, ' +
  'configure it to pass it on: nginx with proxy_set_header Host $http_host.';

/** Limit for the texts of clients in each set. */
const MAX_LOGGED_TEXTS = 100;
const PORT = /:\d*$/;

/** Adds a text that is not logged yet. Returns false if it is, or if the set is full. */
function isNew(text: string, logged: Set<string>): boolean {
  if (logged.has(text) || logged.size >= MAX_LOGGED_TEXTS) return false;
  logged.add(text);
  return true;
}

/** Logs warnings for the operator. Each cause is logged once, so that a client cannot fill the log. */
export class OperatorWarnings {
  readonly #prefix: string;
  readonly #logger: SockJSLogger;
  readonly #logged = new Set<OperatorWarning>();
  readonly #origins = new Set<string>();
  readonly #hosts = new Set<string>();

  /** @param prefix prefix of the router */
  constructor(prefix: string, logger: SockJSLogger) {
    this.#prefix = prefix;
    this.#logger = logger;
  }

  /** @param detail text that is added to the warning */
  warn(warning: OperatorWarning, detail?: string): void {
    if (this.#logged.has(warning)) return;
    this.#logged.add(warning);
    const text = WARNINGS[warning].replaceAll('<prefix>', this.#prefix);
    this.#log(detail === undefined ? text : `${text} ${detail}`);
  }

  #log(text: string): void {
    this.#logger.warn(`${this.#prefix || '/'}: ${text}`);
  }

  /** @param host host that the refused request addressed */
  warnOfHost(host: string): void {
    if (!isNew(host, this.#hosts)) return;
    const name = quoteForLog(host.replace(PORT, ''));
    this.#log(
      `refused a request for host ${quoteForLog(host)} with 403. If this is a name of your server, set ` +
        `allowedHosts: [${name}]. Behind a proxy, set trustedProxies.`,
    );
  }

  /**
   * @param origin origin of the refused page, or '' if its browser hides it
   * @param host host that the request addressed
   */
  warnOfOrigin(origin: string, host = ''): void {
    if (!isNew(origin, this.#origins)) return;
    const name = quoteForLog(origin);
    if (origin === '') {
      this.#log(
        'refused a page with 403 that hides its origin: its Referrer-Policy must allow the Referer header.',
      );
      return;
    }
    const lacksPort = host !== '' && origin.replace(PORT, '').endsWith(`//${host}`);
    this.#log(
      `refused a page of origin ${name} with 403. To allow it, set allowedOrigins: [${name}].${lacksPort ? LOST_PORT : ''}`,
    );
  }
}
