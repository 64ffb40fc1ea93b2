/**
 * Routing of session requests between nodes. A session opens on the node that holds its claim, which is the node that
 * received its first request. All later requests of the session are relayed to that node.
 */
import { createHash } from 'node:crypto';
import { CLOSE_REASONS } from '../base/close-reasons.ts';
import { describeError } from '../base/logging.ts';
import { RecentMap } from '../base/recent-map.ts';
import type { RefusalReason } from '../base/refusal.ts';
import { decideOwner, sessionLimit } from '../http/admission.ts';
import type { Handler, RequestContext } from '../http/request-context.ts';
import type { RouterState } from '../http/router-state.ts';
import type { CloseFrame } from '../protocol/frame.ts';
import { endReceiver } from '../transports/http-receive.ts';
import type { Claim, NodeId } from '../backplane/backplane.ts';
import { lateCloseFrame } from './late-close-frame.ts';
import {
  type ClusterNode,
  NODE_GONE,
  type RoutingSettings,
  SessionRelays,
  type SessionRequestRoute,
} from './session-relays.ts';

/** Length of a claim key: 128 bits in base64url. */
const CLAIM_KEY_LENGTH = 22;

/** Limit for the owners that a router remembers. */
const MAX_OWNERS = 100_000;

/** Returns the key under which nodes claim a session. It does not reveal the session id. */
function claimKeyOf(prefix: string, sessionKey: string): string {
  const hash = createHash('sha256').update(`${prefix}\0${sessionKey}`).digest('base64url');
  return hash.slice(0, CLAIM_KEY_LENGTH);
}

function refuseWith(reason: RefusalReason): Handler {
  return (context) => context.refuse(reason);
}

/** Routes the requests of one router. */
export class SessionRouting {
  readonly #node: ClusterNode;
  readonly #state: RouterState;
  /** Owners of sessions of other nodes. */
  readonly #owners = new RecentMap<string, NodeId>(MAX_OWNERS);
  /** Claim keys of this node, and the keys of their sessions. */
  readonly #claims = new Map<string, string>();
  /** Numbers of requests that may still open the session of a claim key. */
  readonly #opening = new Map<string, number>();
  readonly #relays: SessionRelays;

  constructor(node: ClusterNode, state: RouterState, settings: RoutingSettings) {
    this.#node = node;
    this.#state = state;
    this.#relays = new SessionRelays(node, state, settings);
    state.sessions.onForgotten = (session) => {
      const { key } = session.init;
      if (key === undefined) return;
      const frame = state.sessions.isDraining ? lateCloseFrame(session) : undefined;
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

  /** Gives the relayed requests back to their clients. See `SessionRelays.release`. */
  releaseRelays(timeout: number, expectsMore: () => boolean): Promise<void> {
    return this.#relays.release(timeout, expectsMore);
  }

  /** Serves a request here, or relays it to the owner of its session. */
  route(context: RequestContext, route: SessionRequestRoute): void | Promise<void> {
    return context.session() === undefined ? this.#routeMissing(context, route) : route.serve();
  }

  /** Routes a request whose session is not on this node. */
  async #routeMissing(context: RequestContext, route: SessionRequestRoute): Promise<void> {
    const sessionKey = context.key;
    const cached = this.#owners.get(sessionKey);
    if (cached !== undefined) {
      const isMember = this.#node.isMember(cached);
      if (isMember && (await this.#relays.forward(cached, context, route))) return undefined;
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
    if (await this.#relays.forward(owner, context, route)) return undefined;
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

  #release(key: string, frame?: CloseFrame): void {
    if (!this.#claims.delete(key)) return;
    const { disconnectDelay } = this.#state.settings;
    this.#node.backplane.release(key, frame?.text, disconnectDelay);
  }
}
