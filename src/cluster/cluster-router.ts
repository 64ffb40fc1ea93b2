import type { RelayHandler } from '../relay/relay-server.ts';
import type { RequestContext } from '../http/request-context.ts';
import type { RouterState } from '../http/router-state.ts';
import type { LocalNode, NodeRouter } from './local-node.ts';
import type { RoutingSettings, SessionRequestRoute } from './session-relays.ts';
import { SessionRouting } from './session-routing.ts';

/** The part of a router that belongs to the cluster. */
export class ClusterRouter {
  readonly #node: LocalNode;
  readonly #state: RouterState;
  readonly #routing: SessionRouting;
  /** Entry of the router at its node. */
  #entry: NodeRouter | undefined;

  constructor(node: LocalNode, state: RouterState, settings: RoutingSettings) {
    this.#node = node;
    this.#state = state;
    this.#routing = new SessionRouting(node, state, settings);
  }

  /** Routes a request of a session. Bound, so that it can be passed to the dispatcher. */
  readonly route = (context: RequestContext, route: SessionRequestRoute): void | Promise<void> =>
    this.#routing.route(context, route);

  /**
   * @param handler gets the requests that other nodes relay
   * @param close closes the router
   */
  join(handler: RelayHandler, close: () => Promise<void>): void {
    this.#entry = { routing: this.#routing, handler, close };
    this.#node.addRouter(this.#entry);
  }

  /**
   * Gives the relayed requests of a router that closes back to their clients.
   * @param timeout in milliseconds
   * @param sessions resolves when the sessions of the router have drained
   */
  async drain(timeout: number, sessions?: Promise<void>): Promise<void> {
    this.#node.onDraining();
    const finished = Promise.all([sessions, this.#routing.releaseRelays(timeout)]);
    this.#state.sessions.whenFinished = finished;
    await finished;
  }

  leave(): void {
    if (this.#entry !== undefined) this.#node.removeRouter(this.#entry);
  }
}
