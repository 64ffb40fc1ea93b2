/**
 * Routing of session requests between nodes. A session opens on the node that holds its claim, which is the node that
 * received its first request. All later requests of the session are relayed to that node.
 */
import { createHash } from 'node:crypto';
import { CLOSE_REASONS } from '../base/close-reasons.ts';
import { describeError } from '../base/logging.ts';
import type { RefusalReason } from '../base/refusal.ts';
import type { RelayOutcome } from '../hosts/node/relay-client.ts';
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
  if (outcome === 'version') context.refuse('clusterUnavailable');
  if (outcome !== 'gone' && outcome !== 'failed') return;
  if (receives !== undefined) return endReceiver(context, receives, NODE_GONE);
  context.refuse(outcome === 'gone' ? 'sessionNotFound' : 'clusterUnavailable');
}

/** The node as its routers see it. */
export interface ClusterNode {
  readonly id: NodeId;
  readonly backplane: Backplane;
  isMember(node: NodeId): boolean;
  /** Relays a request of a session to its owner. */
  relay(owner: NodeId, context: RequestContext, body: Buffer | undefined): Promise<RelayOutcome>;
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

  constructor(node: ClusterNode, state: RouterState) {
    this.#node = node;
    this.#state = state;
    state.sessions.onForgotten = (session) => {
      const { key } = session.init;
      if (key === undefined) return;
      const { closeReason } = session;
      const isLeaving = state.sessions.isDraining && closeReason !== undefined;
      const frame = isLeaving ? closeFrame(closeReason.code, closeReason.reason) : undefined;
      this.#release(claimKeyOf(state.prefix, key), frame);
    };
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
    const found = await this.#find(key, context, route);
    if (found === undefined) return undefined;
    if (typeof found === 'string') return route.serve(refuseWith(found));
    return this.#routeTo(found, key, context, route);
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
    if (owner === this.#node.id) return this.#serveHere(key, context, route);
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
    const { backplane } = this.#node;
    try {
      const outcome = await decideOwner(context, () =>
        limit === undefined ? backplane.claim(key) : backplane.owner(key),
      );
      return typeof outcome === 'object' ? (outcome.claim ?? limit) : outcome;
    } catch (error) {
      this.#state.logger.debug?.(`The owner of a session is not known: ${describeError(error)}`);
      return 'clusterUnavailable';
    }
  }

  /** Opens the session, and releases the claim if it is refused. */
  async #serveHere(
    key: string,
    context: RequestContext,
    { receives, serve }: SessionRequestRoute,
  ): Promise<void> {
    if (receives === undefined) return serve();
    const sessionKey = context.key;
    this.#claims.set(key, sessionKey);
    try {
      await serve();
    } finally {
      const { sessions, opening } = this.#state;
      if (sessions.find(sessionKey) === undefined && !opening.has(sessionKey)) this.#release(key);
    }
    return undefined;
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
      const body = receives === undefined ? await readSendBody(context) : undefined;
      if (receives === undefined && body === undefined) return;
      const outcome = await this.#node.relay(owner, context, body);
      isKnown = outcome !== 'unknown';
      respondFor(outcome, context, receives);
    });
    return isKnown;
  }

  #release(key: string, frame?: CloseFrame): void {
    if (!this.#claims.delete(key)) return;
    const { disconnectDelay } = this.#state.settings;
    this.#node.backplane.release(key, frame?.text, disconnectDelay);
  }
}
