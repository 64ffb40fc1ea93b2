/** Relays of the requests of one router to the owners of their sessions. */
import { sleep } from '../base/sleep.ts';
import type { Backplane, NodeId } from '../backplane/backplane.ts';
import type { RelayOutcome } from '../relay/relay-call.ts';
import type { RelayMode } from '../relay/relay-head.ts';
import type { Handler, RequestContext } from '../http/request-context.ts';
import type { RouterState } from '../http/router-state.ts';
import { closeFrame } from '../protocol/frame.ts';
import { endReceiver } from '../transports/http-receive.ts';
import { readSendBody } from '../transports/http-send.ts';
import type { HttpTransport } from '../transports/transport.ts';

/** Frame for a client whose session has ended with its node. */
export const NODE_GONE = closeFrame(1001, 'Node is gone');

/** Time that a receiving request may take in addition to the interval of heartbeats, in milliseconds. */
const RELAY_MARGIN_MS = 10_000;

/** Interval at which owners are asked to end responses. A request may reach its owner after that. */
const RELEASE_INTERVAL_MS = 100;

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
  /** Asks the owner to end the response of a relayed receiving request, so that the client sends the next one. */
  release(owner: NodeId, context: RequestContext): void;
}

/** Counters of the routers of a node. */
export interface RoutingCounts {
  /** Claims and look-ups of owners in the backplane. */
  lookups: number;
  /** Requests of sessions whose owner was gone. */
  ownersLost: number;
}

export interface RelayOptions {
  readonly mode: RelayMode | undefined;
  readonly body: Buffer | undefined;
  /** Time in milliseconds in which the owner has to send something. */
  readonly silenceLimit: number;
  /** Called when the response is complete, the client has disconnected, or the owner has no such session. */
  readonly onEnd: () => void;
}

/** Settings of all routers, which the owner of a session applies. Times in milliseconds. */
export interface RoutingSettings {
  readonly heartbeatDelay: number;
}

/** A request of a session that is not a WebSocket. */
export interface SessionRequestRoute {
  /** Transport of a receiving request, undefined for a sending one. */
  readonly receives: HttpTransport | undefined;
  /** Applies the policies of the route, and then calls the handler, by default that of the route. */
  readonly serve: (handler?: Handler) => void | Promise<void>;
}

function ignore(): void {}

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

export class SessionRelays {
  readonly #node: ClusterNode;
  readonly #state: RouterState;
  readonly #receiveLimit: number;
  /** Relayed receiving requests without a complete response, and their owners. */
  readonly #receivers = new Map<RequestContext, NodeId>();
  /** Number of relayed sending requests without a response. */
  #sends = 0;

  constructor(node: ClusterNode, state: RouterState, settings: RoutingSettings) {
    this.#node = node;
    this.#state = state;
    this.#receiveLimit = settings.heartbeatDelay + RELAY_MARGIN_MS;
  }

  /**
   * Relays a request, and responds for an owner that cannot.
   * @returns false if the owner has no such session. The client has no response then
   */
  async forward(
    owner: NodeId,
    context: RequestContext,
    { receives, serve }: SessionRequestRoute,
  ): Promise<boolean> {
    let isKnown = true;
    await serve(async () => {
      const outcome = await (receives === undefined
        ? this.#relaySend(owner, context)
        : this.#relayReceive(owner, context));
      if (outcome === undefined) return;
      if (outcome === 'gone') this.#node.counts.ownersLost += 1;
      isKnown = outcome !== 'unknown';
      respondFor(outcome, context, receives);
    });
    return isKnown;
  }

  /**
   * Waits for the responses of all relayed requests. Asks the owners to end those of receiving requests, so that their
   * clients send the next ones to other nodes. Their sessions go on.
   * @param timeout maximum waiting time in milliseconds
   * @param expectsMore returns whether more requests may arrive
   */
  async release(timeout: number, expectsMore: () => boolean): Promise<void> {
    const isIdle = this.#receivers.size === 0 && this.#sends === 0;
    if (timeout <= 0 || (isIdle && !expectsMore())) return;
    for (const [context, owner] of this.#receivers) this.#node.release(owner, context);
    await sleep(Math.min(RELEASE_INTERVAL_MS, timeout));
    await this.release(timeout - RELEASE_INTERVAL_MS, expectsMore);
  }

  #relayReceive(owner: NodeId, context: RequestContext): Promise<RelayOutcome> {
    this.#receivers.set(context, owner);
    return this.#node.relay(owner, context, {
      mode: this.#state.sessions.isDraining ? 'brief' : undefined,
      body: undefined,
      silenceLimit: this.#receiveLimit,
      onEnd: () => this.#receivers.delete(context),
    });
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
    this.#sends += 1;
    try {
      return await this.#node.relay(owner, context, {
        mode: undefined,
        body,
        // The owner delays a client that is over its rate limit, or whose handlers are pending, for any time.
        silenceLimit: Infinity,
        onEnd: ignore,
      });
    } finally {
      this.#sends -= 1;
      reservation.release();
    }
  }
}
