/**
 * The URL space as a table: path and method select a handler and its policies. Paths are split without regular
 * expressions, since every request is routed here. PROTOCOL.md, "URLs".
 */
import type { TransportName } from '../base/transport-name.ts';
import type { Handler } from '../http/request-context.ts';
import { EVENTSOURCE } from '../transports/eventsource.ts';
import { HTMLFILE } from '../transports/htmlfile.ts';
import { type ReceiveSettings, receive } from '../transports/http-receive.ts';
import { type SendSettings, jsonpSend, xhrSend } from '../transports/http-send.ts';
import { JSONP } from '../transports/jsonp.ts';
import type { HttpTransport } from '../transports/transport.ts';
import { rawWebSocket, websocket } from '../transports/websocket.ts';
import { XHR, XHR_STREAMING } from '../transports/xhr.ts';
import { browserClient } from './browser-client.ts';
import { ClientScript } from './client-script.ts';
import { iframePage } from './iframe-page.ts';
import { type InfoSettings, greeting, info } from './info.ts';

/** Settings of the route table. */
export interface RouteSettings extends InfoSettings, ReceiveSettings, SendSettings {
  readonly sockjsUrl: string | URL | undefined;
}

export interface Route {
  readonly get?: Handler;
  readonly post?: Handler;
  /** Handler of a WebSocket over HTTP/2, which is requested with CONNECT. */
  readonly connect?: Handler;
  /** True if only pages of allowed origins may send requests. */
  readonly guarded: boolean;
  /** True if scripts of other origins may read the response. */
  readonly cors: boolean;
  /** True if browsers send a preflight before this request. */
  readonly preflight: boolean;
  /** True if the handler sets the caching headers. Other responses are never cached. */
  readonly cacheable: boolean;
  /** True if the response sets the load balancer's cookie. */
  readonly cookie: boolean;
  /** Transport of a receiving request. */
  readonly receives?: HttpTransport;
  /** Value of the `Allow` header. */
  readonly allow: string;
}

/** A route, and the session id in the path. */
export interface RouteMatch {
  readonly route: Route;
  /** '' if the path has none. */
  readonly sessionId: string;
}

const PAGE = {
  guarded: false,
  cors: false,
  preflight: false,
  cacheable: true,
  cookie: false,
  allow: 'GET',
} as const;
const SOCKET = { ...PAGE, guarded: true };
const SESSION = { ...PAGE, guarded: true, cors: true, cacheable: false, cookie: true };
const SESSION_POST = { ...SESSION, preflight: true, allow: 'OPTIONS, POST' };
const INFO = {
  ...PAGE,
  guarded: true,
  cors: true,
  preflight: true,
  cacheable: false,
  allow: 'OPTIONS, GET',
};

const IFRAME_NAME = /^iframe[0-9\-.a-z_]*\.html$/;

/** A row of the table. It is omitted if all of its transports are disabled. */
type Row = readonly [name: string, transports: readonly TransportName[], route: Route];

const XHR_SENDERS: readonly TransportName[] = ['xhr', 'xhr_streaming', 'eventsource', 'htmlfile'];

function receiveByGet(transport: HttpTransport, settings: RouteSettings): Route {
  return { ...SESSION, get: receive(transport, settings), receives: transport };
}

function receiveByPost(transport: HttpTransport, settings: RouteSettings): Route {
  return { ...SESSION_POST, post: receive(transport, settings), receives: transport };
}

/** Rows below `<prefix>/<server>/<session>/`. */
function sessionRows(settings: RouteSettings): readonly Row[] {
  return [
    ['websocket', ['websocket'], { ...SOCKET, get: websocket, connect: websocket }],
    ['xhr', ['xhr'], receiveByPost(XHR, settings)],
    ['xhr_streaming', ['xhr_streaming'], receiveByPost(XHR_STREAMING, settings)],
    ['xhr_send', XHR_SENDERS, { ...SESSION_POST, post: xhrSend(settings) }],
    ['eventsource', ['eventsource'], receiveByGet(EVENTSOURCE, settings)],
    ['htmlfile', ['htmlfile'], receiveByGet(HTMLFILE, settings)],
    ['jsonp', ['jsonp'], receiveByGet(JSONP, settings)],
    ['jsonp_send', ['jsonp'], { ...SESSION, post: jsonpSend(settings), allow: 'POST' }],
  ];
}

/** Rows below `<prefix>/`. */
function topRows(settings: RouteSettings, script: ClientScript): readonly Row[] {
  return [
    ['', [], { ...PAGE, get: greeting }],
    ['info', [], { ...INFO, get: info(settings) }],
    ['sockjs.js', [], { ...PAGE, get: script.handler }],
    ['client.js', [], { ...PAGE, get: browserClient() }],
    ['websocket', ['rawwebsocket'], { ...SOCKET, get: rawWebSocket, connect: rawWebSocket }],
  ];
}

function toMap(
  rows: readonly Row[],
  disabled: readonly TransportName[],
): ReadonlyMap<string, Route> {
  const enabled = rows.filter(
    ([, transports]) =>
      transports.length === 0 || transports.some((name) => !disabled.includes(name)),
  );
  return new Map(enabled.map(([name, , route]) => [name, route]));
}

export class RouteTable {
  readonly #top: ReadonlyMap<string, Route>;
  readonly #session: ReadonlyMap<string, Route>;
  readonly #iframe: Route;

  constructor(settings: RouteSettings & { readonly disabledTransports: readonly TransportName[] }) {
    const script = new ClientScript(settings.sockjsUrl);
    this.#top = toMap(topRows(settings, script), settings.disabledTransports);
    this.#session = toMap(sessionRows(settings), settings.disabledTransports);
    this.#iframe = { ...PAGE, guarded: true, get: iframePage(script.url) };
  }

  /**
   * Finds the route of a path.
   * @param path path below the prefix, without the query
   * @returns undefined if there is no route
   */
  match(path: string): RouteMatch | undefined {
    const firstEnd = path.indexOf('/', 1);
    const first = path.slice(1, firstEnd < 0 ? path.length : firstEnd);
    if (firstEnd >= 0) return this.#matchSession(path, first, firstEnd + 1);
    const route = this.#top.get(first) ?? (IFRAME_NAME.test(first) ? this.#iframe : undefined);
    return route === undefined ? undefined : { route, sessionId: '' };
  }

  #matchSession(path: string, server: string, sessionStart: number): RouteMatch | undefined {
    const sessionEnd = path.indexOf('/', sessionStart);
    if (sessionEnd < 0) return undefined;
    const sessionId = path.slice(sessionStart, sessionEnd);
    if (server === '' || sessionId === '') return undefined;
    if (server.includes('.') || sessionId.includes('.')) return undefined;
    const route = this.#session.get(path.slice(sessionEnd + 1));
    return route === undefined ? undefined : { route, sessionId };
  }
}
