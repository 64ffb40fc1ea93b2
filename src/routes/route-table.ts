/**
 * The edge as a table: which path and method leads to which endpoint, and which policies hold there.
 * Paths are split by hand: every request of every client passes here.
 */
import { describeError } from '../base/logging.ts';
import type { Exchange } from '../http/exchange.ts';
import { crossOrigin, neverCached, preflight, stickyCookie } from '../http/headers.ts';
import { CLIENT_SCRIPT, GREETING, IFRAME, INFO } from './pages.ts';
import { REFUSALS, Refusal } from '../base/refusal.ts';
import { type Endpoint, type Hit, type Service, quoteForLog } from '../http/request-context.ts';
import type { TransportName } from '../base/transport-name.ts';
import { EVENTSOURCE } from '../transports/eventsource.ts';
import { HTMLFILE } from '../transports/htmlfile.ts';
import { receiving } from '../transports/http-receive.ts';
import { JSONP_SEND, XHR_SEND } from '../transports/http-send.ts';
import { JSONP } from '../transports/jsonp.ts';
import { RAW_WEBSOCKET, WEBSOCKET } from '../transports/websocket.ts';
import { XHR, XHR_STREAMING } from '../transports/xhr.ts';

interface Route {
  readonly get?: Endpoint;
  readonly post?: Endpoint;
  /** Only pages that `allowedOrigins` admits may ask. */
  readonly guarded: boolean;
  /** Scripts of other origins may read the answer; POST and `/info` have a preflight. */
  readonly cors: boolean;
  readonly preflighted: boolean;
  readonly cached: boolean;
  /** Carries the load balancer's cookie. */
  readonly sticky: boolean;
  /** Answers 404 unless one of these is enabled. */
  readonly transports: readonly TransportName[];
  /** The value of `Allow`. */
  readonly allow: string;
}

const PAGE = {
  guarded: false,
  cors: false,
  preflighted: false,
  cached: true,
  sticky: false,
  transports: [],
  allow: 'GET',
} as const;
const SOCKET = { ...PAGE, guarded: true };
const SESSION = { ...PAGE, guarded: true, cors: true, cached: false, sticky: true };
const POST = { ...SESSION, preflighted: true, allow: 'OPTIONS, POST' };

const SENDERS_VIA_XHR: readonly TransportName[] = [
  'xhr',
  'xhr_streaming',
  'eventsource',
  'htmlfile',
];

const GREETING_ROUTE: Route = { ...PAGE, get: GREETING };
const IFRAME_ROUTE: Route = { ...PAGE, guarded: true, get: IFRAME };

/** Below the prefix. */
const TOP: ReadonlyMap<string, Route> = new Map<string, Route>([
  ['', GREETING_ROUTE],
  [
    'info',
    {
      ...PAGE,
      get: INFO,
      guarded: true,
      cors: true,
      preflighted: true,
      cached: false,
      allow: 'OPTIONS, GET',
    },
  ],
  ['sockjs.js', { ...PAGE, get: CLIENT_SCRIPT }],
  ['websocket', { ...SOCKET, get: RAW_WEBSOCKET, transports: ['rawwebsocket'] }],
]);

/** Below `<prefix>/<server>/<session>/`. */
const OF_SESSION: ReadonlyMap<string, Route> = new Map<string, Route>([
  ['websocket', { ...SOCKET, get: WEBSOCKET, transports: ['websocket'] }],
  ['xhr', { ...POST, post: receiving(XHR), transports: ['xhr'] }],
  ['xhr_streaming', { ...POST, post: receiving(XHR_STREAMING), transports: ['xhr_streaming'] }],
  ['xhr_send', { ...POST, post: XHR_SEND, transports: SENDERS_VIA_XHR }],
  ['eventsource', { ...SESSION, get: receiving(EVENTSOURCE), transports: ['eventsource'] }],
  ['htmlfile', { ...SESSION, get: receiving(HTMLFILE), transports: ['htmlfile'] }],
  ['jsonp', { ...SESSION, get: receiving(JSONP), transports: ['jsonp'] }],
  ['jsonp_send', { ...SESSION, post: JSONP_SEND, transports: ['jsonp'], allow: 'POST' }],
]);

const IFRAME_NAME = /^iframe[0-9\-.a-z_]*\.html$/;

interface Match {
  readonly route: Route;
  readonly sessionId: string;
}

function matchSession(path: string, server: string, sessionStart: number): Match | undefined {
  const sessionEnd = path.indexOf('/', sessionStart);
  if (sessionEnd < 0) return undefined;
  const sessionId = path.slice(sessionStart, sessionEnd);
  if (server === '' || sessionId === '' || server.includes('.') || sessionId.includes('.'))
    return undefined;
  const route = OF_SESSION.get(path.slice(sessionEnd + 1));
  return route === undefined ? undefined : { route, sessionId };
}

/** @param path below the prefix, without the query */
export function match(path: string): Match | undefined {
  if (path === '') return { route: GREETING_ROUTE, sessionId: '' };
  const firstEnd = path.indexOf('/', 1);
  const first = path.slice(1, firstEnd < 0 ? path.length : firstEnd);
  if (firstEnd >= 0) return matchSession(path, first, firstEnd + 1);
  const route = TOP.get(first) ?? (IFRAME_NAME.test(first) ? IFRAME_ROUTE : undefined);
  return route === undefined ? undefined : { route, sessionId: '' };
}

/** HEAD is GET without the body, which the host leaves out; streams have no HEAD. */
function endpointOf(route: Route, method: string): Endpoint | undefined {
  if (method === 'GET' || (method === 'HEAD' && !route.sticky)) return route.get;
  return method === 'POST' ? route.post : undefined;
}

function addPolicies(route: Route, { exchange, client, service, headers }: Hit): void {
  if (route.sticky && service.settings.jsessionid) stickyCookie(headers, exchange, client.secure);
  if (route.cors) crossOrigin(headers, exchange);
}

function serve(route: Route, hit: Hit): void | Promise<void> {
  const { exchange, service, headers } = hit;
  addPolicies(route, hit);
  if (exchange.method === 'OPTIONS' && route.preflighted) {
    preflight(headers, route.allow);
    return exchange.answer(204, headers);
  }
  if (!route.cached) neverCached(headers);
  const endpoint = endpointOf(route, exchange.method);
  if (endpoint !== undefined) return endpoint(hit);
  return service.refuse(
    hit,
    'methodNotAllowed',
    new Refusal(REFUSALS.methodNotAllowed.status, '', { Allow: route.allow }),
  );
}

function refuseOrigin(hit: Hit): void {
  hit.headers.push('Vary', 'Origin');
  neverCached(hit.headers);
  hit.service.refuse(hit, 'originNotAllowed');
}

async function serveIfAdmitted(route: Route, hit: Hit, verdict: Promise<boolean>): Promise<void> {
  const admitted = await hit.service.undecidedOrigins.wait(hit, () => verdict);
  if (hit.exchange.isAnswered) return; // Gone, or given up.
  if (admitted) await serve(route, hit);
  else refuseOrigin(hit);
}

function isEnabled(route: Route, service: Service): boolean {
  return route.transports.length === 0 || route.transports.some((name) => service.isEnabled(name));
}

function hitOf(exchange: Exchange, service: Service, sessionId = ''): Hit {
  return { exchange, client: service.clientOf(exchange), service, sessionId, headers: [] };
}

function answer(exchange: Exchange, service: Service): void | Promise<void> {
  const found = match(exchange.path);
  const hit = hitOf(exchange, service, found?.sessionId);
  if (found === undefined || !isEnabled(found.route, service))
    return service.refuse(hit, 'notFound');
  const { route } = found;
  if (!route.guarded) return serve(route, hit);
  const verdict = service.admits(exchange, hit.client);
  if (verdict === undefined) return service.refuse(hit, 'pendingLimit');
  if (typeof verdict !== 'boolean') return serveIfAdmitted(route, hit, verdict);
  return verdict ? serve(route, hit) : refuseOrigin(hit);
}

/** Answers a request below the prefix. Whatever goes wrong in there ends here. */
export function dispatch(exchange: Exchange, service: Service): void {
  const failed = (error: unknown): void => {
    if (exchange.isAnswered) exchange.abort();
    else service.refuse(hitOf(exchange, service), 'internalError');
    // The last part only: the session id before it is secret.
    const leaf = quoteForLog(exchange.path.slice(exchange.path.lastIndexOf('/') + 1));
    service.logger.error(`${exchange.method} of ${leaf} failed: ${describeError(error)}`);
  };
  if (exchange.isGone) return;
  try {
    service.sessions.stats.connected();
    answer(exchange, service)?.catch(failed);
  } catch (error) {
    failed(error);
  }
}
