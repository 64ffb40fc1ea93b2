import type { RelayHandler } from '../hosts/node/relay-listener.ts';
import type { RequestContext } from '../http/request-context.ts';
import type { RouterState } from '../http/router-state.ts';
import type { LocalNode, NodeRouter } from './local-node.ts';
import type { RoutingSettings, SessionRequestRoute } from './session-relays.ts';
import { SessionRouting } from './session-routing.ts';

/** The part of a router that belongs to the cluster. */
export class ClusterRouter {
  readonly #node: LocalNode;
  readonly #routing: SessionRouting;
  /** Entry of the router at its node. */
  #entry: NodeRouter | undefined;

  constructor(node: LocalNode, state: RouterState, settings: RoutingSettings) {
    this.#node = node;
    this.#routing = new SessionRouting(node, state, settings);
  }

  /** Routes a request of a session. Bound, so that it can be passed to the dispatcher. */
  readonly route = (context: RequestContext, route: SessionRequestRoute): Promise<void> =>
    this.#routing.route(context, route);

  /**
   * @param handler gets the requests that other nodes relay
   * @param close closes the router
   */
  join(handler: RelayHandler, close: () => Promise<void>): void {
    this.#entry = { routing: this.#routing, handler, close };
    this.#node.addRouter(this.#entry);
  }

  /** Gives the relayed requests of a router that closes back to their clients. */
  async drain(timeout: number): Promise<void> {
    this.#node.onDraining();
    await this.#routing.releaseRelays(timeout);
  }

  leave(): void {
    if (this.#entry !== undefined) this.#node.removeRouter(this.#entry);
  }
}
