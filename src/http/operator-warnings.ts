import { quoteForLog } from '../base/logging.ts';

const WARNINGS = {
  clientScript:
    'sockjs.js was requested, but sockjs-client is not installed: ' +
    'run `npm install sockjs-client`, or set sockjsUrl to a URL or a file: URL.',
  upgradeByMiddleware:
    'a WebSocket request arrived as an ordinary request. Middleware does not see upgrades: call attach(server).',
  upgradeLost:
    'a WebSocket request arrived without its Upgrade and Connection headers: a proxy dropped them. ' +
    'Configure it to pass both on: nginx with proxy_http_version 1.1, proxy_set_header Upgrade $http_upgrade and ' +
    'proxy_set_header Connection "upgrade"; HAProxy and Caddy do so by default.',
  bodyConsumed:
    'refused a message with 500: middleware has read the body before it reached the router. ' +
    'Use router.middleware before body parsers such as express.json() and express.text(), or attach(server).',
  httpVersion:
    'refused an HTTP/2 request with 505: only HTTP/1.1 is supported. ' +
    'Serve the router with node:http or node:https, and let a proxy speak HTTP/2.',
  bodyTooLarge: 'refused a request body with 413: it was longer than maxMessageBytes.',
  bodyTimeout: 'refused a request body with 408: it took longer than bodyTimeout.',
  memoryLimit:
    'refused a request body with 503: more than maxTotalBufferedBytes are buffered in this process, ' +
    'or maxBufferedBytesPerAddress for its address.',
  pendingLimit:
    'refused a request with 503: too many others wait for authorize or allowedOrigins; ' +
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

const MAX_LOGGED_ORIGINS = 100;

/** Logs warnings for the operator. Each cause is logged once, so that a client cannot fill the log. */
export class OperatorWarnings {
  readonly #log: (line: string) => void;
  readonly #logged = new Set<OperatorWarning>();
  readonly #origins = new Set<string>();

  constructor(log: (line: string) => void) {
    this.#log = log;
  }

  warn(warning: OperatorWarning): void {
    if (this.#logged.has(warning)) return;
    this.#logged.add(warning);
    this.#log(WARNINGS[warning]);
  }

  /** @param origin origin of the refused page, or '' if its browser hides it */
  warnOfOrigin(origin: string): void {
    if (this.#origins.has(origin) || this.#origins.size >= MAX_LOGGED_ORIGINS) return;
    this.#origins.add(origin);
    const name = quoteForLog(origin);
    this.#log(
      origin === ''
        ? 'refused a page with 403 that hides its origin: its Referrer-Policy must allow the Referer header.'
        : `refused a page of origin ${name} with 403. To allow it, set allowedOrigins: [${name}].`,
    );
  }
}
