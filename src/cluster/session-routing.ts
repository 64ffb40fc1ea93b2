/**
 * Routing of session requests between nodes. A session opens on the node that holds its claim, which is the node that
 * received its first request. All later requests of the session are relayed to that node.
 */
import { createHash } from 'node:crypto';
import { CLOSE_REASONS } from '../base/close-reasons.ts';
import { describeError } from '../base/logging.ts';
import type { RefusalReason } from '../base/refusal.ts';
import type { RelayOutcome } from '../hosts/node/relay-call.ts';
import { decideOwner, sessionLimit } from '../http/admission.ts';
import type { Handler, RequestContext } from '../http/request-context.ts';
import type { RouterState } from '../http/router-state.ts';
import { type CloseFrame, closeFrame } from '../protocol/frame.ts';
import { endReceiver } from '../transports/http-receive.ts';
import { readSendBody } from '../transports/http-send.ts';
import type { HttpTransport } from '../transports/transport.ts';
import type { Backplane, Claim, NodeId } from '../backplane/backplane.ts';
import { OwnerCache } from './owner-cache.ts';

const NODE_GONE = closeFrame(1001, 'Node is gone');

/** Time that a relay may take in addition to the longest time in which an owner sends nothing, in milliseconds. */
const RELAY_MARGIN_MS = 10_000;

/** Length of a claim key: 128 bits in base64url. */
const CLAIM_KEY_LENGTH = 22;

/** Returns the key under which nodes claim a session. It does not reveal the session id. */
function claimKeyOf(prefix: string, sessionKey: string): string {
  const hash = createHash('sha256').update(`${prefix}\0${sessionKey}`).digest('base64url');
  return hash.slice(0, CLAIM_KEY_LENGTH);
}

function refuseWith(reason: RefusalReason): Handler {
  return (context) => context.refuse(reason);
}

/** Responds for an owner that has not responded. */
function respondFor(
  outcome: RelayOutcome,
  context: RequestContext,
  receives: HttpTransport | undefined,
): void {
  if (outcome === 'refused') context.refuse('clusterUnavailable');
  if (outcome !== 'gone' && outcome !== 'failed') return;
  if (receives !== undefined) return endReceiver(context, receives, NODE_GONE);
  context.refuse(outcome === 'gone' ? 'sessionNotFound' : 'clusterUnavailable');
}

/** The node as its routers see it. */
export interface ClusterNode {
  readonly id: NodeId;
  readonly backplane: Backplane;
  /** True if this node could not join its cluster. */
  readonly hasFailed: boolean;
  readonly counts: RoutingCounts;
  isMember(node: NodeId): boolean;
  /** Relays a request of a session to its owner. */
  relay(owner: NodeId, context: RequestContext, options: RelayOptions): Promise<RelayOutcome>;
}

/** Counters of the routers of a node. */
export interface RoutingCounts {
  /** Claims and look-ups of owners in the backplane. */
  lookups: number;
  /** Requests of sessions whose owner was gone. */
  ownersLost: number;
}

export interface RelayOptions {
  readonly body: Buffer | undefined;
  /** Time in milliseconds in which the owner has to send something. */
  readonly silenceLimit: number;
}

/** Settings of all routers, which the owner of a session applies. Times in milliseconds. */
export interface RoutingSettings {
  readonly heartbeatDelay: number;
  readonly openTimeout: number;
}

/** A request of a session that is not a WebSocket. */
export interface SessionRequestRoute {
  /** Transport of a receiving request, undefined for a sending one. */
  readonly receives: HttpTransport | undefined;
  /** Applies the policies of the route, and then calls the handler, by default that of the route. */
  readonly serve: (handler?: Handler) => void | Promise<void>;
}

/** Routes the requests of one router. */
export class SessionRouting {
  readonly #node: ClusterNode;
  readonly #state: RouterState;
  readonly #owners = new OwnerCache();
  /** Claim keys of this node, and the keys of their sessions. */
  readonly #claims = new Map<string, string>();
  /** Numbers of requests that may still open the session of a claim key. */
  readonly #opening = new Map<string, number>();
  readonly #silenceLimits: { readonly receive: number; readonly send: number };

  constructor(node: ClusterNode, state: RouterState, settings: RoutingSettings) {
    this.#node = node;
    this.#state = state;
    this.#silenceLimits = {
      receive: settings.heartbeatDelay + RELAY_MARGIN_MS,
      send: settings.openTimeout + RELAY_MARGIN_MS,
    };
    state.sessions.onForgotten = (session) => {
      const { key } = session.init;
      if (key === undefined) return;
      const { closeReason } = session;
      const isLeaving = state.sessions.isDraining && closeReason !== undefined;
      const frame = isLeaving ? closeFrame(closeReason.code, closeReason.reason) : undefined;
      this.#release(claimKeyOf(state.prefix, key), frame);
    };
  }

  get prefix(): string {
    return this.#state.prefix;
  }

  get isDraining(): boolean {
    return this.#state.sessions.isDraining;
  }

  get claimCount(): number {
    return this.#claims.size;
  }

  /** Serves a request here, or relays it to the owner of its session. */
  async route(context: RequestContext, route: SessionRequestRoute): Promise<void> {
    if (context.session() !== undefined) return route.serve();
    const sessionKey = context.key;
    const cached = this.#owners.get(sessionKey);
    if (cached !== undefined) {
      const isMember = this.#node.isMember(cached);
      if (isMember && (await this.#forward(cached, context, route))) return undefined;
      this.#owners.delete(sessionKey);
      // The body of a sending request has been read.
      if (isMember && route.receives === undefined)
        return route.serve(refuseWith('sessionNotFound'));
    }
    const key = claimKeyOf(this.#state.prefix, sessionKey);
    this.#hold(key);
    try {
      const found = await this.#find(key, context, route);
      if (found === undefined) return undefined;
      if (typeof found === 'string') return await route.serve(refuseWith(found));
      return await this.#routeTo(found, key, context, route);
    } finally {
      this.#drop(key);
    }
  }

  /** Closes the session whose claim another node has taken over. */
  onClaimLost(key: string): void {
    const sessionKey = this.#claims.get(key);
    if (sessionKey === undefined) return;
    this.#claims.delete(key);
    this.#state.sessions.find(sessionKey)?.close(CLOSE_REASONS.interrupted);
  }

  async #routeTo(
    { owner, closing }: Claim,
    key: string,
    context: RequestContext,
    route: SessionRequestRoute,
  ): Promise<void> {
    if (closing !== undefined) {
      const { receives } = route;
      if (receives === undefined) return route.serve(refuseWith('sessionNotFound'));
      const frame = { ...NODE_GONE, text: closing };
      return route.serve((ended) => endReceiver(ended, receives, frame));
    }
    if (owner === this.#node.id) {
      // The session may have opened and ended while this request waited.
      const isClosed = route.receives !== undefined && !this.#claims.has(key);
      return route.serve(isClosed ? refuseWith('sessionOpening') : undefined);
    }
    this.#owners.set(context.key, owner);
    if (await this.#forward(owner, context, route)) return undefined;
    // The owner has claimed the session, but not opened it yet.
    const reason = route.receives === undefined ? 'sessionNotFound' : 'sessionOpening';
    return route.serve(refuseWith(reason));
  }

  /**
   * Looks up the owner of a session in the backplane, and claims the session for a receiving request if it has none.
   * @returns the reason to refuse the request if there is no owner, or undefined if the client has disconnected
   */
  async #find(
    key: string,
    context: RequestContext,
    { receives }: SessionRequestRoute,
  ): Promise<Claim | RefusalReason | undefined> {
    const limit = receives === undefined ? 'sessionNotFound' : sessionLimit(context);
    const { backplane, counts, hasFailed } = this.#node;
    if (hasFailed) return 'clusterUnavailable';
    try {
      const outcome = await decideOwner(context, () => {
        counts.lookups += 1;
        return limit === undefined ? this.#claim(key, context.key) : backplane.owner(key);
      });
      return typeof outcome === 'object' ? (outcome.claim ?? limit) : outcome;
    } catch (error) {
      this.#state.logger.debug?.(`The owner of a session is not known: ${describeError(error)}`);
      return 'clusterUnavailable';
    }
  }

  /** Claims a session. Its request may have ended before the claim is known. */
  async #claim(key: string, sessionKey: string): Promise<Claim> {
    this.#hold(key);
    try {
      const claim = await this.#node.backplane.claim(key);
      if (claim.owner === this.#node.id) this.#claims.set(key, sessionKey);
      return claim;
    } finally {
      this.#drop(key);
    }
  }

  #hold(key: string): void {
    this.#opening.set(key, (this.#opening.get(key) ?? 0) + 1);
  }

  /** Releases the claim of a session that no request has opened. */
  #drop(key: string): void {
    const count = (this.#opening.get(key) ?? 0) - 1;
    if (count > 0) {
      this.#opening.set(key, count);
      return;
    }
    this.#opening.delete(key);
    const sessionKey = this.#claims.get(key);
    const isUnused =
      sessionKey !== undefined && this.#state.sessions.find(sessionKey) === undefined;
    if (isUnused) this.#release(key);
  }

  /**
   * Relays a request, and responds for an owner that cannot.
   * @returns false if the owner has no such session. The client has no response then
   */
  async #forward(
    owner: NodeId,
    context: RequestContext,
    route: SessionRequestRoute,
  ): Promise<boolean> {
    const { receives } = route;
    let isKnown = true;
    await route.serve(async () => {
      const outcome =
        receives === undefined
          ? await this.#relaySend(owner, context)
          : await this.#relay(owner, context, undefined, this.#silenceLimits.receive);
      if (outcome === undefined) return;
      if (outcome === 'gone') this.#node.counts.ownersLost += 1;
      isKnown = outcome !== 'unknown';
      respondFor(outcome, context, receives);
    });
    return isKnown;
  }

  /**
   * Relays a request with its body, which counts as buffered until the owner has handled it.
   * @returns undefined if the body has been refused
   */
  async #relaySend(owner: NodeId, context: RequestContext): Promise<RelayOutcome | undefined> {
    const body = await readSendBody(context);
    if (body === undefined) return undefined;
    const reservation = context.memory.reserve('bodies', () => context.exchange.abort());
    if (!reservation.resize(body.length)) {
      reservation.release();
      context.refuse('memoryLimit');
      return undefined;
    }
    try {
      return await this.#relay(owner, context, body, this.#silenceLimits.send);
    } finally {
      reservation.release();
    }
  }

  #relay(
    owner: NodeId,
    context: RequestContext,
    body: Buffer | undefined,
    silenceLimit: number,
  ): Promise<RelayOutcome> {
    return this.#node.relay(owner, context, { body, silenceLimit });
  }

  #release(key: string, frame?: CloseFrame): void {
    if (!this.#claims.delete(key)) return;
    const { disconnectDelay } = this.#state.settings;
    this.#node.backplane.release(key, frame?.text, disconnectDelay);
  }
}
