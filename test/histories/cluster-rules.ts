/**
 * Promises of a cluster about sessions and topics, checked against the log of a whole history.
 *
 * 1. Messages of a session: each end receives a prefix of what the other one has sent, in order and without
 *    duplicates, whichever nodes the requests reach. Nothing is missing if both ends are open when all faults have
 *    ended, or if the client has received the application's own close code.
 * 2. An attempt to connect, with its session id, opens one session on all nodes together. The exceptions: the session
 *    was closed and then forgotten, as on a single node, or the engine has lost its records in the meantime. The first
 *    session is then the only one that has messages for the client.
 * 3. A session on a node that was not killed has one `onOpen` and one `onClose`.
 * 4. No session is opened again after the node that had it was killed, unless the engine has lost its records, or the
 *    node had forgotten the session before.
 * 5. A node receives the messages of a topic in the order of each publisher, without duplicates. One that is missing
 *    when all faults have ended was reported as missed, after it was published. The exception are the last messages of
 *    a publisher that has ended.
 *    The same holds for the messages that a client in a group receives. When all faults have ended, all nodes read and
 *    watch the same members.
 * 6. A node without sessions has no claims, a closed node has no timers, and no node logs an error.
 */
import { lifecycleViolations, lossViolations } from '../faults/delivery-rules.ts';
import type { DeliveryLog } from '../faults/delivery-log.ts';
import {
  type AttemptRecord,
  type ClusterEvent,
  type SessionRecord,
  type TopicEvent,
  attemptsOf,
  memberName,
} from './cluster-log.ts';

/** Close code of the application in the histories. */
export const APPLICATION_CLOSE_CODE = 3000;

/** Time by which the claim of a session may precede its opening, at most. */
const MAX_CLAIM_MS = 2000;

export interface ClusterRules {
  /** Time for which a node keeps a closed session, in milliseconds. */
  readonly disconnectDelay: number;
}

/** A broken rule, with the events that show it. */
export interface ClusterViolation {
  readonly rule: string;
  readonly events: readonly ClusterEvent[];
}

interface NodeRecord {
  /** Times at which nodes were killed. */
  readonly killed: ReadonlyMap<string, number>;
  /** Nodes that have begun to close, and perhaps were killed later. They release all claims at once. */
  readonly closing: ReadonlySet<string>;
  /** Killed, or closing. */
  readonly ended: ReadonlySet<string>;
  readonly emptiedAt: readonly number[];
}

function nodesOf(events: readonly ClusterEvent[]): NodeRecord {
  const killed = new Map<string, number>();
  const closing = new Set<string>();
  const emptiedAt: number[] = [];
  for (const event of events) {
    if (event.source === 'engine' && event.event === 'emptied') emptiedAt.push(event.at);
    if (event.source !== 'node') continue;
    if (event.event === 'killed') killed.set(event.node, event.at);
    if (event.event === 'closing') closing.add(event.node);
  }
  return { killed, closing, ended: new Set([...killed.keys(), ...closing]), emptiedAt };
}

function textsUntil(log: DeliveryLog, type: 'received' | 'sent', end: number): readonly string[] {
  return log.events.slice(0, end).flatMap((event) => (event.type === type ? [event.text] : []));
}

function isOpenAt({ events }: DeliveryLog, end: number): boolean {
  const types = new Set(events.slice(0, end).map(({ type }) => type));
  return types.has('opened') && !types.has('closed');
}

/** Returns whether both ends were open when all faults had ended. */
function hasSurvived({ client, sessions, settled }: AttemptRecord): boolean {
  const session = sessions[0]?.log;
  if (settled === undefined || session === undefined) return false;
  return isOpenAt(client, settled.client) && isOpenAt(session, settled.session);
}

function* messageViolations(record: AttemptRecord): Generator<string> {
  const { client, sessions, settled } = record;
  const [first, ...others] = sessions;
  const session = first?.log;
  const isComplete = hasSurvived(record);
  const [clientEnd, sessionEnd] = isComplete
    ? [settled?.client, settled?.session]
    : [client.events.length, session?.events.length];
  const texts = (
    log: DeliveryLog | undefined,
    type: 'received' | 'sent',
    end = 0,
  ): readonly string[] => (log === undefined ? [] : textsUntil(log, type, end));
  const closedByApplication = client.closeStatus?.code === APPLICATION_CLOSE_CODE;
  const toClient = [
    texts(client, 'received', clientEnd),
    texts(session, 'sent', sessionEnd),
  ] as const;
  const toServer = [
    texts(session, 'received', sessionEnd),
    texts(client, 'sent', clientEnd),
  ] as const;
  yield* lossViolations('the client', ...toClient, isComplete || closedByApplication);
  yield* lossViolations('the session', ...toServer, isComplete);
  const all = sessions.flatMap(({ log }) => log.texts('received'));
  if (others.length > 0 && new Set(all).size < all.length)
    yield 'two sessions received the same message';
}

/** Returns whether a node may open another session for an attempt. */
function mayReopen(
  previous: SessionRecord,
  next: SessionRecord,
  { killed, closing, emptiedAt }: NodeRecord,
  { disconnectDelay }: ClusterRules,
): boolean {
  const claimedAt = previous.openedAt - MAX_CLAIM_MS;
  if (emptiedAt.some((at) => at >= claimedAt && at <= next.openedAt)) return true;
  // A node that was killed has released the claims of the sessions that it had forgotten before.
  const forgottenAt = (previous.closedAt ?? Infinity) + disconnectDelay;
  const killedAt = closing.has(previous.node) ? undefined : killed.get(previous.node);
  return forgottenAt <= Math.min(next.openedAt, killedAt ?? Infinity);
}

function* openViolations(
  { sessions }: AttemptRecord,
  nodes: NodeRecord,
  rules: ClusterRules,
): Generator<string> {
  for (const [index, next] of sessions.entries()) {
    const previous = sessions[index - 1];
    if (previous === undefined || mayReopen(previous, next, nodes, rules)) continue;
    yield nodes.killed.has(previous.node)
      ? `${next.node} opened a session whose owner ${previous.node} was killed`
      : `${next.node} opened a session that ${previous.node} had opened`;
  }
}

function* sessionViolations(
  record: AttemptRecord,
  nodes: NodeRecord,
  rules: ClusterRules,
): Generator<string> {
  const { client, sessions } = record;
  yield* messageViolations(record);
  yield* openViolations(record, nodes, rules);
  if (client.events.length > 0) yield* lifecycleViolations('the client', client);
  for (const { node, log } of sessions)
    yield* lifecycleViolations(`the session on ${node}`, log, nodes.killed.has(node));
}

/** Messages of one publisher to one node in one topic, while it is subscribed. */
interface Stream {
  /** Messages that have been neither delivered nor reported as missed. */
  expected: string[];
  readonly delivered: Set<string>;
}

/** Streams of a subscribed node, by publisher. */
type Streams = Map<string, Stream>;

/** Checks the messages of one topic. */
class TopicChecker {
  readonly topic: string;
  readonly violations: { readonly rule: string; readonly nodes: readonly string[] }[] = [];
  /** Subscribed nodes. */
  readonly #nodes = new Map<string, Streams>();
  readonly #published = new Map<string, Set<string>>();

  constructor(topic: string) {
    this.topic = topic;
  }

  add(node: string, event: TopicEvent): void {
    switch (event.type) {
      case 'joined':
        this.#nodes.set(node, new Map());
        return;
      case 'left':
        this.#nodes.delete(node);
        return;
      case 'published':
        return this.#publish(node, event.text);
      case 'delivered':
        return this.#deliver(node, event.from, event.text);
      case 'missed':
        return this.#miss(node, event.from);
    }
  }

  get members(): readonly string[] {
    return [...this.#nodes.keys()].toSorted();
  }

  /** Nodes that are gone, and clients that have closed, receive nothing any more. */
  forget(node: string): void {
    this.#nodes.delete(node);
  }

  /** Reports messages that are missing without a report. @param ended publishers that have ended */
  settle(ended: ReadonlySet<string>): void {
    for (const [node, streams] of this.#nodes)
      for (const [from, { expected, delivered }] of streams) {
        const lost = expected.find(
          (text) => !ended.has(from) || this.#isPassed(from, text, delivered),
        );
        if (lost !== undefined) this.#report(`${node} did not receive ${lost}`, node, from);
      }
  }

  #publish(from: string, text: string): void {
    const texts = this.#published.get(from) ?? new Set();
    this.#published.set(from, texts.add(text));
    for (const [node, streams] of this.#nodes)
      if (node !== from) streamOf(streams, from).expected.push(text);
  }

  #deliver(node: string, from: string, text: string): void {
    const streams = this.#nodes.get(node);
    // Messages may arrive before the subscription is complete, and until it has ended.
    if (streams === undefined) return;
    const stream = streamOf(streams, from);
    const { delivered } = stream;
    if (delivered.has(text)) return this.#report(`${node} received ${text} twice`, node, from);
    if (this.#published.get(from)?.has(text) !== true)
      return this.#report(`${node} received ${text}, which was not published`, node, from);
    if (this.#isPassed(from, text, delivered))
      return this.#report(`${node} received ${text} out of order`, node, from);
    delivered.add(text);
    stream.expected = stream.expected.filter((expected) => expected !== text);
  }

  #miss(node: string, from: string | undefined): void {
    for (const [publisher, stream] of this.#nodes.get(node) ?? [])
      if (from === undefined || from === publisher) stream.expected = [];
  }

  /** Returns whether a later message of the publisher has been delivered. */
  #isPassed(from: string, text: string, delivered: ReadonlySet<string>): boolean {
    const texts = [...(this.#published.get(from) ?? [])];
    return texts.slice(texts.indexOf(text) + 1).some((later) => delivered.has(later));
  }

  #report(rule: string, ...nodes: readonly string[]): void {
    this.violations.push({ rule: `${rule} in ${this.topic}`, nodes });
  }
}

function streamOf(streams: Streams, from: string): Stream {
  const stream = streams.get(from) ?? { expected: [], delivered: new Set() };
  streams.set(from, stream);
  return stream;
}

function isEndOf(event: ClusterEvent, node: string): boolean {
  return (
    event.source === 'node' &&
    event.node === node &&
    (event.event === 'killed' || event.event === 'closing')
  );
}

function* topicViolations(
  events: readonly ClusterEvent[],
  { ended }: NodeRecord,
): Generator<ClusterViolation> {
  const topics = new Map<string, TopicChecker>();
  const closed = new Set<string>();
  for (const event of events) {
    if (event.source === 'presence') {
      yield* presenceViolations(event, topics.get(event.topic)?.members ?? []);
    } else if (event.source === 'client') {
      if (event.event.type !== 'closed') continue;
      closed.add(memberName(event.attempt));
      for (const topic of topics.values()) topic.forget(memberName(event.attempt));
    } else if (event.source === 'node') {
      if (isEndOf(event, event.node)) for (const topic of topics.values()) topic.forget(event.node);
    } else if (event.source === 'end') {
      for (const topic of topics.values()) topic.settle(ended);
    } else if (event.source === 'topic' && !closed.has(event.node)) {
      if (event.topic === undefined) {
        for (const topic of topics.values()) topic.add(event.node, event.event);
        continue;
      }
      const topic = topics.get(event.topic) ?? new TopicChecker(event.topic);
      topics.set(event.topic, topic);
      topic.add(event.node, event.event);
    }
  }
  for (const { topic, violations } of topics.values())
    for (const { rule, nodes } of violations)
      yield { rule, events: events.filter((event) => concernsTopic(event, topic, nodes)) };
}

function* presenceViolations(
  presence: Extract<ClusterEvent, { source: 'presence' }>,
  members: readonly string[],
): Generator<ClusterViolation> {
  const { node, event, topic } = presence;
  const [actual, expected] = [presence.members.toSorted(), members].map((list) => list.join(', '));
  if (actual === expected) return;
  const rule = `${node} has ${event} [${actual}] as members of ${topic}, which are [${expected}]`;
  yield { rule, events: [presence] };
}

function concernsTopic(
  event: ClusterEvent,
  topic: string,
  [subscriber, publisher]: readonly string[],
): boolean {
  if (event.source === 'node') return event.node === publisher || event.node === subscriber;
  if (event.source !== 'topic') return event.source === 'end' || event.source === 'engine';
  if (event.topic !== topic && event.topic !== undefined) return false;
  const { type } = event.event;
  if (event.node === publisher) return type === 'published';
  if (event.node !== subscriber || type === 'published') return false;
  return !('from' in event.event) || (event.event.from ?? publisher) === publisher;
}

/** Returns the events that explain what happened to an attempt. */
function eventsOfAttempt(
  events: readonly ClusterEvent[],
  { attempt }: AttemptRecord,
): readonly ClusterEvent[] {
  const ofAttempt = (event: ClusterEvent): boolean =>
    (event.source === 'client' || event.source === 'session') && event.attempt === attempt;
  const [first, last] = [events.findIndex(ofAttempt), events.findLastIndex(ofAttempt)];
  return events
    .slice(first, last + 1)
    .filter(
      (event) =>
        ofAttempt(event) ||
        !['client', 'leftover', 'presence', 'session', 'topic'].includes(event.source),
    );
}

function concernsNode({ source }: ClusterEvent): boolean {
  return source === 'engine' || source === 'leftover' || source === 'node';
}

/** @returns the broken rules; an empty array if all were kept */
export function clusterViolations(
  events: readonly ClusterEvent[],
  rules: ClusterRules,
): ClusterViolation[] {
  const nodes = nodesOf(events);
  const ofSessions = attemptsOf(events).flatMap((record) =>
    [...sessionViolations(record, nodes, rules)].map((rule) => ({
      rule: `attempt ${record.attempt}: ${rule}`,
      events: eventsOfAttempt(events, record),
    })),
  );
  const leftovers = events.flatMap((event) =>
    event.source === 'leftover'
      ? [{ rule: `${event.node}: ${event.event}`, events: events.filter(concernsNode) }]
      : [],
  );
  return [...ofSessions, ...topicViolations(events, nodes), ...leftovers];
}
