/**
 * Decides whether a page may connect, and whether a request may open a session. Both decisions are made before the
 * session exists, so that a refusal is only an HTTP response.
 */
import { ApplicationError } from '../base/application-error.ts';
import { REFUSALS, Refusal, type RefusalReason } from '../base/refusal.ts';
import { type TransportName, isWebSocketTransport } from '../base/transport-name.ts';
import { type Authorize, SessionRequest } from './authorize.ts';
import { addNoCache } from './headers.ts';
import type { DecisionCall, DecisionKind, DecisionRequest, Outcome } from './pending-decisions.ts';
import type { RequestContext } from './request-context.ts';

export interface Admitted {
  readonly type: 'admitted';
  /** Result of `authorize`. */
  readonly user: unknown;
}

export type Admission =
  | Admitted
  | { readonly type: 'refused'; readonly reason: RefusalReason; readonly refusal?: Refusal }
  /** The client has disconnected, so that no response is possible. */
  | { readonly type: 'disconnected' };

const ADMITTED: Admission = { type: 'admitted', user: undefined };
const DISCONNECTED: Admission = { type: 'disconnected' };

function refused(reason: RefusalReason, refusal: Refusal = REFUSALS[reason]): Admission {
  return { type: 'refused', reason, refusal };
}

const REFUSAL_REASONS = {
  closed: 'draining',
  limit: 'pendingLimit',
  timeout: 'pendingTimeout',
} as const satisfies Readonly<Record<string, RefusalReason>>;

/**
 * Time limit for a look-up in the backplane, in milliseconds. A look-up takes up to 2 s while the backplane is away,
 * and 2 s more after it has lost its records.
 */
const LOOKUP_TIMEOUT_MS = 4000;

/** Turns the outcome of a decision into an admission. */
function conclude<Value>(
  context: RequestContext,
  outcome: Outcome<Value>,
  admit: (value: Value) => Admission,
): Admission {
  if (context.exchange.isHandled) return DISCONNECTED;
  if (outcome.type === 'decided') return admit(outcome.value);
  return outcome.type === 'disconnected' ? DISCONNECTED : refused(REFUSAL_REASONS[outcome.type]);
}

function decisionRequest(context: RequestContext, kind: DecisionKind): DecisionRequest {
  const { exchange, client, memory } = context;
  return {
    kind,
    address: client.address,
    watchDisconnect: (callback) => exchange.watchDisconnect(memory, callback),
  };
}

/** Calls a function of the application, and turns the outcome into an admission. */
function decide<Value>(
  context: RequestContext,
  kind: DecisionKind,
  start: (call: DecisionCall) => Value | PromiseLike<Value>,
  admit: (value: Value) => Admission,
): Admission | Promise<Admission> {
  const { state } = context;
  const request = decisionRequest(context, kind);
  const fail = (error: unknown): never => {
    throw new ApplicationError(kind, error);
  };
  let outcome: Outcome<Value> | Promise<Outcome<Value>>;
  try {
    outcome = state.decisions.decide(request, start);
  } catch (error) {
    return fail(error);
  }
  if (!(outcome instanceof Promise)) return conclude(context, outcome, admit);
  return outcome.then((settled) => conclude(context, settled, admit), fail);
}

/** Decides whether the page that sent a request may connect. A refusal is logged once for each origin. */
export function admitOrigin(context: RequestContext): Admission | Promise<Admission> {
  const { state, exchange, client } = context;
  const { allowed, origin = '' } = state.originGuard.judge(exchange, client.host);
  const admit = (isAllowed: boolean): Admission => {
    if (isAllowed) return ADMITTED;
    state.warnings.warnOfOrigin(origin, client.host);
    context.headers.push('Vary', 'Origin');
    addNoCache(context.headers);
    return refused('originNotAllowed');
  };
  if (allowed !== undefined) return admit(allowed);
  return decide(context, 'allowedOrigins', () => state.originGuard.evaluate(origin), admit);
}

/** Returns the reason to refuse another session, or undefined. */
export function sessionLimit({ state, client }: RequestContext): RefusalReason | undefined {
  const { sessions, settings } = state;
  if (sessions.isDraining) return 'draining';
  const { maxSessions, maxSessionsPerAddress } = settings;
  if (sessions.size >= maxSessions) return 'sessionLimit';
  const isFull = sessions.addresses.isFull(client.address, maxSessionsPerAddress, maxSessions);
  return isFull ? 'addressSessionLimit' : undefined;
}

/**
 * Asks the backplane for the owner of a session, with the limits of other decisions.
 * @returns the claim, the reason to refuse the request, or undefined if the client has disconnected
 */
export async function decideOwner<Claim>(
  context: RequestContext,
  ask: () => Promise<Claim>,
): Promise<{ readonly claim: Claim } | RefusalReason | undefined> {
  const request = { ...decisionRequest(context, 'owner'), timeout: LOOKUP_TIMEOUT_MS };
  const outcome = await context.state.decisions.decide(request, ask);
  if (context.exchange.isHandled || outcome.type === 'disconnected') return undefined;
  if (outcome.type === 'decided') return { claim: outcome.value };
  return outcome.type === 'timeout' ? 'clusterUnavailable' : REFUSAL_REASONS[outcome.type];
}

function authorize(
  context: RequestContext,
  callAuthorize: Authorize<unknown>,
): Admission | Promise<Admission> {
  const { method, certificate } = context.exchange;
  const start = (call: DecisionCall): ReturnType<Authorize<unknown>> => {
    const pending = {
      method,
      certificate,
      get signal() {
        return call.signal;
      },
    };
    return callAuthorize(new SessionRequest(context.head, pending));
  };
  return decide(context, 'authorize', start, (user) => {
    if (user instanceof Refusal) return refused('unauthorized', user);
    const isRefused = user === undefined || user === null || user === false;
    return isRefused ? refused('unauthorized') : { type: 'admitted', user };
  });
}

/** Reserves the key of a session while `authorize` is pending, so that a second request does not open it too. */
function authorizeOnce(
  context: RequestContext,
  callAuthorize: Authorize<unknown>,
): Admission | Promise<Admission> {
  const { opening } = context.state;
  const { key } = context;
  if (opening.has(key)) return refused('sessionOpening');
  const admission = authorize(context, callAuthorize);
  if (!(admission instanceof Promise)) return admission;
  opening.add(key);
  return admission.finally(() => opening.delete(key));
}

/** Decides whether a request may open a session on this transport. */
export function admitSession(
  context: RequestContext,
  transport: TransportName,
): Admission | Promise<Admission> {
  const { authorize: callAuthorize } = context.state.settings;
  if (callAuthorize === undefined) return ADMITTED;
  const reason = sessionLimit(context);
  if (reason !== undefined) return refused(reason);
  // Two WebSockets may use one session id.
  if (isWebSocketTransport(transport)) return authorize(context, callAuthorize);
  return authorizeOnce(context, callAuthorize);
}

/** Refuses the request if the admission is a refusal. Returns whether the request may continue. */
export function enforce(context: RequestContext, admission: Admission): admission is Admitted {
  if (admission.type === 'refused') context.refuse(admission.reason, admission.refusal);
  return admission.type === 'admitted';
}

/**
 * Refuses the request if the admission is a refusal, or if a session limit is reached. Call it in the same turn in
 * which the session opens: other sessions may have opened while `authorize` was pending.
 * @returns whether the request may open a session
 */
export function enforceSession(
  context: RequestContext,
  admission: Admission,
): admission is Admitted {
  if (!enforce(context, admission)) return false;
  const reason = sessionLimit(context);
  if (reason !== undefined) context.refuse(reason);
  return reason === undefined;
}
