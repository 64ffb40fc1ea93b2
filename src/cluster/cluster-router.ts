import { sleep } from '../base/sleep.ts';
import type { RelayHandler } from '../relay/relay-server.ts';
import type { RequestContext } from '../http/request-context.ts';
import type { RouterState } from '../http/router-state.ts';
import type { LocalNode, NodeRouter } from './local-node.ts';
import type { RoutingSettings, SessionRequestRoute } from './session-relays.ts';
import { SessionRouting } from './session-routing.ts';

/**
 * Time without a request after which a load balancer has noticed that this node drains, in milliseconds. HAProxy with
 * the recommended checks notices it within 1.4 s.
 */
const SILENCE_MS = 1500;

/** Time for the requests that were relayed while the router shut down, in milliseconds. */
const LAST_RELAYS_MS = 500;

/** Time in which close frames arrive before refusals, which take other connections, in milliseconds. */
const REFUSAL_DELAY_MS = 100;

/** The part of a router that belongs to the cluster. */
export class ClusterRouter {
  readonly #node: LocalNode;
  readonly #state: RouterState;
  readonly #routing: SessionRouting;
  /** Entry of the router at its node. */
  #entry: NodeRouter | undefined;
  /** Time of the last request of a session, or of the start of the drain. */
  #requestedAt = 0;

  constructor(node: LocalNode, state: RouterState, settings: RoutingSettings) {
    this.#node = node;
    this.#state = state;
    this.#routing = new SessionRouting(node, state, settings);
  }

  /** Routes a request of a session. Bound, so that it can be passed to the dispatcher. */
  readonly route = (context: RequestContext, route: SessionRequestRoute): void | Promise<void> => {
    if (this.#state.sessions.isDraining) this.#requestedAt = performance.now();
    return this.#routing.route(context, route);
  };

  /**
   * @param handler gets the requests that other nodes relay
   * @param close closes the router
   */
  join(handler: RelayHandler, close: () => Promise<void>): void {
    this.#entry = { routing: this.#routing, handler, close };
    this.#node.addRouter(this.#entry);
  }

  /**
   * Waits until the load balancer sends no more requests to a router that closes, and gives those that it has relayed
   * back to their clients.
   * @param timeout in milliseconds
   * @param sessions resolves when the sessions of the router have drained
   */
  async drain(timeout: number, sessions: Promise<void>): Promise<void> {
    this.#node.onDraining();
    this.#requestedAt = performance.now();
    const relays = this.#routing.releaseRelays(timeout, () => this.#expectsRequests());
    // Two routers that close would wait for each other if refusals waited for relays.
    const closed = sessions.then(() => sleep(REFUSAL_DELAY_MS));
    this.#state.sessions.whenClosed = closed;
    await Promise.all([closed, relays]);
  }

  /** Gives the last requests back, and leaves the node. */
  async leave(): Promise<void> {
    await this.#routing.releaseRelays(LAST_RELAYS_MS, () => false);
    if (this.#entry !== undefined) this.#node.removeRouter(this.#entry);
  }

  /** Returns whether a load balancer may send more requests to this node, although another one could serve them. */
  #expectsRequests(): boolean {
    const { id: ownId, nodes } = this.#node;
    const hasSuccessor = nodes.some(({ id, draining }) => id !== ownId && !draining);
    return hasSuccessor && performance.now() - this.#requestedAt < SILENCE_MS;
  }
}
