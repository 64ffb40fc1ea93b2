import type {
  BackplaneListener,
  Claim,
  Membership,
  NodeId,
} from '../../src/backplane/backplane.ts';
import { EngineBackplane } from '../../src/backplane/engine-backplane.ts';
import type { Engine } from '../../src/backplane/engine.ts';
import type { ClusterLog, TopicEvent } from './cluster-log.ts';

/** Prefix of the topics of histories. A cluster has other topics of its own. */
const TOPIC_PREFIX = 'history ';

/** Events of one node, with the names that the log uses. */
export interface TopicLog {
  readonly node: string;
  readonly log: Pick<ClusterLog, 'add'>;
  /** Names of nodes by their random ids, which all nodes of a history share. */
  readonly names: Map<NodeId, string>;
}

/** The backplane of a node, with a log of its topics. */
export class LoggingBackplane extends EngineBackplane {
  readonly #topicLog: TopicLog;
  /** Subscriptions that the engine has not confirmed. */
  readonly #pending = new Set<string>();

  constructor(engine: Engine, topicLog: TopicLog) {
    super(engine);
    this.#topicLog = topicLog;
  }

  override async join(membership: Membership): Promise<NodeId> {
    const id = await super.join({ ...membership, listener: this.#wrap(membership.listener) });
    this.#topicLog.names.set(id, this.#topicLog.node);
    return id;
  }

  /** Keys that this node has claimed, and not released or lost. */
  readonly claims = new Set<string>();

  override async claim(key: string): Promise<Claim> {
    const claim = await super.claim(key);
    if (this.#topicLog.names.get(claim.owner) === this.#topicLog.node) this.claims.add(key);
    return claim;
  }

  override release(key: string, closing?: string, ms?: number): void {
    this.claims.delete(key);
    super.release(key, closing, ms);
  }

  /** Publishes a message that all subscribers log. */
  publishLogged(topic: string, text: string): void {
    this.#add(topic, { type: 'published', text });
    this.publish(TOPIC_PREFIX + topic, text);
  }

  async subscribeLogged(topic: string): Promise<void> {
    this.#pending.add(topic);
    try {
      await this.subscribe(TOPIC_PREFIX + topic);
      this.#confirm(topic);
    } catch {
      // The subscription is opened when the engine is available again.
    }
  }

  unsubscribeLogged(topic: string): void {
    if (!this.#pending.delete(topic)) this.#add(topic, { type: 'left' });
    this.unsubscribe(TOPIC_PREFIX + topic);
  }

  #wrap(listener: BackplaneListener): BackplaneListener {
    return {
      onMessage: (topic, from, data) => {
        if (topic.startsWith(TOPIC_PREFIX))
          this.#add(topic.slice(TOPIC_PREFIX.length), {
            type: 'delivered',
            from: this.#nameOf(from),
            text: data,
          });
        listener.onMessage(topic, from, data);
      },
      onMissed: (topic, from) => {
        const event = {
          type: 'missed',
          from: from === undefined ? undefined : this.#nameOf(from),
        } as const;
        const name = topic?.slice(TOPIC_PREFIX.length) ?? '';
        // A subscription that was late is open now.
        this.#confirm(name);
        if (topic === undefined) this.#add(undefined, event);
        else if (topic.startsWith(TOPIC_PREFIX)) this.#add(name, event);
        listener.onMissed(topic, from);
      },
      onMembers: (cards) => listener.onMembers(cards),
      onClaimLost: (key) => {
        this.claims.delete(key);
        listener.onClaimLost(key);
      },
      onUp: () => {
        for (const topic of this.#pending) this.#confirm(topic);
        listener.onUp();
      },
      onDown: () => listener.onDown(),
    };
  }

  #confirm(topic: string): void {
    if (this.#pending.delete(topic)) this.#add(topic, { type: 'joined' });
  }

  #nameOf(id: NodeId): string {
    return this.#topicLog.names.get(id) ?? id;
  }

  #add(topic: string | undefined, event: TopicEvent): void {
    const { log, node } = this.#topicLog;
    log.add({ source: 'topic', node, topic, event });
  }
}
