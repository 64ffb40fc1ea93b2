import type { NodeId } from './backplane.ts';
import { inBatches, withDeadline } from './with-deadline.ts';
import type { Engine } from './engine.ts';
import { TopicPublisher, TopicSubscriber } from './topic-messages.ts';

const MAX_PENDING_PUBLISHES = 10_000;
/** Length of the messages that wait for the engine, in UTF-16 code units. One message of any length may wait alone. */
const MAX_PENDING_UNITS = 32 * 1024 * 1024;
const MAX_LOST_PROBES = 2;

/** Topic on which nodes announce that their card has changed, or that they join or leave. */
export const MEMBERS_TOPIC = 'members';

function ignore(): void {}

export interface TopicsListener {
  onMessage(topic: string, from: NodeId, data: string): void;
  onMissed(topic: string | undefined, from: NodeId | undefined): void;
  /** Called when the subscriptions are opened again, because they delivered nothing. */
  onDeaf(): void;
  /** Called when another node has announced a change. */
  onMembersChanged(): void;
}

/** Subscriptions of a node, and the messages that it publishes. */
export class Topics {
  readonly #engine: Engine;
  readonly #node: NodeId;
  readonly #listener: TopicsListener;
  readonly #publisher: TopicPublisher;
  readonly #subscriber: TopicSubscriber;
  /** Topic of messages from this node to itself. A subscription can be open and deliver nothing. */
  readonly #probeTopic: string;
  readonly #subscribed = new Set<string>();
  #pendingPublishes = 0;
  #pendingUnits = 0;
  #probesSent = 0;
  /** Time of the last probe that was sent. */
  #probed = -Infinity;
  /** Number of the last probe that was received. */
  #lastProbe = 0;
  /** Number of messages that could not be published. */
  lost = 0;

  constructor(engine: Engine, node: NodeId, listener: TopicsListener) {
    this.#engine = engine;
    this.#node = node;
    this.#listener = listener;
    this.#publisher = new TopicPublisher(node, engine.maxPublishBytes);
    this.#subscriber = new TopicSubscriber(node, listener);
    this.#probeTopic = `probe ${node}`;
  }

  /** @param isUp false counts the message as lost: nothing is queued for an engine that is away */
  publish(topic: string, data: string, isUp: boolean): void {
    const envelopes = this.#publisher.encode(topic, data);
    if (!isUp || this.#isFull(envelopes.length, data.length)) return this.#lose(topic);
    for (const envelope of envelopes) {
      this.#pendingPublishes += 1;
      this.#pendingUnits += envelope.length;
      this.#engine
        .publish(topic, envelope)
        .catch(() => this.#lose(topic))
        .finally(() => {
          this.#pendingPublishes -= 1;
          this.#pendingUnits -= envelope.length;
        });
    }
  }

  /** Subscribes, at the latest with the next `restore`. The engine may also succeed after the time limit. */
  async subscribe(topic: string): Promise<void> {
    this.#subscribed.add(topic);
    let isLate = false;
    const subscribed = this.#engine.subscribe(topic).then(() => {
      if (!this.#subscribed.has(topic)) return;
      this.#subscriber.subscribe(topic);
      if (isLate) this.#listener.onMissed(topic, undefined);
    });
    try {
      await withDeadline(subscribed);
    } catch (error) {
      isLate = true;
      throw error;
    }
  }

  unsubscribe(topic: string): void {
    if (!this.#subscribed.delete(topic)) return;
    this.#subscriber.unsubscribe(topic);
    this.#engine.unsubscribe(topic).catch(ignore);
  }

  /** Subscribes to all topics again. */
  async restore(): Promise<void> {
    const subscribe = (topic: string): Promise<void> => this.#engine.subscribe(topic);
    await withDeadline(Promise.all([this.#probeTopic, MEMBERS_TOPIC].map(subscribe)));
    await inBatches([...this.#subscribed], (batch) =>
      // The node may have unsubscribed in the meantime.
      Promise.all(batch.filter((topic) => this.#subscribed.has(topic)).map(subscribe)),
    );
    for (const topic of this.#subscribed) this.#subscriber.subscribe(topic);
    this.#lastProbe = this.#probesSent;
  }

  receive(topic: string, data: string): void {
    if (topic === this.#probeTopic) this.#lastProbe = Number(data);
    else if (topic !== MEMBERS_TOPIC) this.#subscriber.receive(topic, data);
    else if (data !== this.#node) this.#listener.onMembersChanged();
  }

  /** Drops the state of publishers that are not members. */
  retain(members: ReadonlyMap<NodeId, unknown>): void {
    this.#subscriber.retain(members);
  }

  /** Lets the subscribers of other nodes report missed messages, with the next marks. */
  reportMissed(topic: string): void {
    this.#publisher.lose(topic);
  }

  /** Announces a change of the members. Without the announcement, other nodes notice it at their next heartbeat. */
  async announce(): Promise<void> {
    await withDeadline(this.#engine.publish(MEMBERS_TOPIC, this.#node));
  }

  /** Publishes the numbers of the last messages, so that subscribers notice those that are lost. */
  async publishMarks(): Promise<void> {
    const publish = async ([topic, mark]: readonly [string, string]): Promise<void> => {
      try {
        await this.#engine.publish(topic, mark);
      } catch {
        this.#publisher.lose(topic);
      }
    };
    await withDeadline(Promise.all([...this.#publisher.takeMarks()].map(publish)));
  }

  /**
   * Checks with probes that the subscriptions deliver, and publishes marks.
   * @param minInterval time between two probes in milliseconds. Changes of other nodes cause heartbeats in between, and
   * a slow subscription needs time
   */
  async beat(now: number, minInterval: number): Promise<void> {
    if (now - this.#probed >= minInterval) {
      this.#probed = now;
      await this.#probe();
    }
    await this.publishMarks();
  }

  async #probe(): Promise<void> {
    if (this.#probesSent - this.#lastProbe >= MAX_LOST_PROBES) {
      this.#listener.onDeaf();
      await withDeadline(this.#engine.resubscribe());
      this.#lastProbe = this.#probesSent;
      this.#listener.onMissed(undefined, undefined);
    }
    this.#probesSent += 1;
    await withDeadline(this.#engine.publish(this.#probeTopic, String(this.#probesSent)));
  }

  #isFull(count: number, units: number): boolean {
    if (this.#pendingPublishes === 0) return false;
    const isOverCount = this.#pendingPublishes + count > MAX_PENDING_PUBLISHES;
    return isOverCount || this.#pendingUnits + units > MAX_PENDING_UNITS;
  }

  #lose(topic: string): void {
    this.lost += 1;
    this.#publisher.lose(topic);
  }
}
