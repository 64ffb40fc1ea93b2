import { ApplicationError } from '../base/application-error.ts';
import { describeError, quoteForLog } from '../base/logging.ts';
import { REFUSALS, Refusal, type RefusalReason } from '../base/refusal.ts';
import { type Admission, admitOrigin, enforce } from '../http/admission.ts';
import type { Exchange, ExchangeHandler, HostSettings } from '../http/exchange.ts';
import type { SessionRequestRoute } from '../cluster/session-relays.ts';
import type { RelayMode } from '../relay/relay-head.ts';
import { addCors, addNoCache, addPreflight, addSessionCookie } from '../http/headers.ts';
import type { OperatorWarning } from '../http/operator-warnings.ts';
import type { HostGuard } from '../http/host-guard.ts';
import { type Handler, RequestContext } from '../http/request-context.ts';
import type { RouterState } from '../http/router-state.ts';
import type { Route, RouteTable } from './route-table.ts';

/** Routes a request of a session, other than a WebSocket, to the node of a cluster that has the session. */
export type SessionStep = (
  context: RequestContext,
  route: SessionRequestRoute,
) => void | Promise<void>;

export interface DispatcherSettings extends HostSettings {
  readonly corsHeaders: boolean;
  readonly jsessionid: boolean;
}

/** Returns the handler of a method. HEAD is GET without the body, which the host omits. Session URLs have no HEAD. */
function handlerOf(route: Route, method: string): Handler | undefined {
  if (method === 'CONNECT') return route.connect;
  if (method === 'GET' || (method === 'HEAD' && !route.cookie)) return route.get;
  return method === 'POST' ? route.post : undefined;
}

function isHandled(route: Route, { exchange }: RequestContext): boolean {
  return handlerOf(route, exchange.method) !== undefined;
}

/** Only the last part of the path is logged, since the session id before it is secret. */
function describeFailure({ method, path }: Exchange, error: unknown): string {
  if (error instanceof ApplicationError) {
    return `${error.source} failed; its client gets 500: ${describeError(error.cause)}`;
  }
  const leaf = quoteForLog(path.slice(path.lastIndexOf('/') + 1));
  return `${method} of ${leaf} failed: ${describeError(error)}`;
}

/** Routes each exchange of a router to its handler. */
export class Dispatcher implements ExchangeHandler {
  readonly prefix: string;
  readonly settings: DispatcherSettings;
  readonly #state: RouterState;
  readonly #table: RouteTable;
  readonly #hostGuard: HostGuard;
  readonly #sessionStep: SessionStep | undefined;

  constructor(
    state: RouterState,
    table: RouteTable,
    settings: DispatcherSettings,
    hostGuard: HostGuard,
    sessionStep?: SessionStep,
  ) {
    this.prefix = state.prefix;
    this.settings = settings;
    this.#state = state;
    this.#table = table;
    this.#hostGuard = hostGuard;
    this.#sessionStep = sessionStep;
  }

  get isDraining(): boolean {
    return this.#state.sessions.isDraining;
  }

  get isClosed(): boolean {
    return this.#state.isClosed;
  }

  /** Handles an exchange. An error of a handler is logged. The client gets 500, or is aborted during its response. */
  handle(exchange: Exchange): void {
    if (exchange.isDisconnected) return;
    this.#state.sessions.stats.connected();
    this.#run(exchange, () => this.#route(exchange));
  }

  /** Handles a request that another node has relayed, whose origin it has checked. */
  handleRelayed(exchange: Exchange, mode: RelayMode | undefined): boolean {
    const match = this.#table.match(exchange.path);
    if (match === undefined || !match.route.cookie || exchange.isDisconnected) return false;
    const context = new RequestContext(this.#state, exchange, match.sessionId);
    let isKnown = true;
    this.#run(exchange, () => {
      const session = context.session();
      isKnown = session !== undefined;
      const isServed = isKnown && mode !== 'release';
      const served = isServed ? this.#serve(match.route, context) : undefined;
      if (mode !== undefined) session?.renewReceiver();
      if (mode === 'release' && isKnown) exchange.respond(204, []);
      return served;
    });
    return isKnown;
  }

  refuse(exchange: Exchange, reason: RefusalReason): void {
    new RequestContext(this.#state, exchange, '').refuse(reason);
  }

  warn(warning: OperatorWarning): void {
    this.#state.warnings.warn(warning);
  }

  #route(exchange: Exchange): void | Promise<void> {
    const match = this.#table.match(exchange.path);
    const context = new RequestContext(this.#state, exchange, match?.sessionId ?? '');
    if (match === undefined) return context.refuse('notFound');
    const { route } = match;
    if (!route.guarded) return this.#serve(route, context);
    const { host } = context.client;
    if (!this.#hostGuard.allows(host)) {
      this.#state.warnings.warnOfHost(host ?? '');
      addNoCache(context.headers);
      return context.refuse('hostNotAllowed');
    }
    const admission = admitOrigin(context);
    if (admission instanceof Promise) {
      return admission.then((settled) => this.#enter(route, context, settled));
    }
    return this.#enter(route, context, admission);
  }

  /** Continues with a request after the origin check. A missing session step costs one comparison. */
  #enter(route: Route, context: RequestContext, admission: Admission): void | Promise<void> {
    if (!enforce(context, admission)) return undefined;
    const step = this.#sessionStep;
    // A WebSocket is a session of the node on which it arrives.
    const isShared = step !== undefined && route.cookie && isHandled(route, context);
    if (!isShared) return this.#serve(route, context);
    let hasPolicies = false;
    return step(context, {
      receives: route.receives,
      serve: (handler = handlerOf(route, context.exchange.method)) => {
        if (!hasPolicies) this.#applyPolicies(route, context);
        hasPolicies = true;
        return handler?.(context);
      },
    });
  }

  #applyPolicies(route: Route, { exchange, client, headers }: RequestContext): void {
    if (route.cookie && this.settings.jsessionid)
      addSessionCookie(headers, exchange, client.secure);
    if (route.cors && this.settings.corsHeaders) addCors(headers, exchange);
    if (exchange.method === 'OPTIONS' && route.preflight) addPreflight(headers, route.allow);
    else if (!route.cacheable) addNoCache(headers);
  }

  #serve(route: Route, context: RequestContext): void | Promise<void> {
    const { exchange, headers } = context;
    this.#applyPolicies(route, context);
    if (exchange.method === 'OPTIONS' && route.preflight) return exchange.respond(204, headers);
    const handler = handlerOf(route, exchange.method);
    if (handler !== undefined) return handler(context);
    const refusal = new Refusal(REFUSALS.methodNotAllowed.status, '', { Allow: route.allow });
    return context.refuse('methodNotAllowed', refusal);
  }

  #run(exchange: Exchange, handle: () => void | Promise<void>): void {
    try {
      handle()?.catch((error: unknown) => this.#fail(exchange, error));
    } catch (error) {
      this.#fail(exchange, error);
    }
  }

  #fail(exchange: Exchange, error: unknown): void {
    if (exchange.isHandled) exchange.abort();
    else this.refuse(exchange, 'internalError');
    this.#state.logger.error(describeFailure(exchange, error));
  }
}
