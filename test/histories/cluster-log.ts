/** Events of clients and nodes of a cluster, in the order in which they happened. */
import { type DeliveryEvent, DeliveryLog } from '../faults/delivery-log.ts';

/** Events of a topic, or of a group, on one node. */
export type TopicEvent =
  /** The node receives all messages that are published from now on. */
  | { readonly type: 'joined' | 'left' }
  | { readonly type: 'published'; readonly text: string }
  /** @property from name of the publishing node */
  | { readonly type: 'delivered'; readonly from: string; readonly text: string }
  /** @property from undefined for any node */
  | { readonly type: 'missed'; readonly from: string | undefined };

export type ClusterEventBody =
  /** `attempt` is the number of the client's attempt to connect, which has a session id of its own. */
  | { readonly source: 'client'; readonly attempt: number; readonly event: DeliveryEvent }
  /** `session` is the number of the connection object. */
  | {
      readonly source: 'session';
      readonly node: string;
      readonly attempt: number;
      readonly session: number;
      readonly event: DeliveryEvent;
    }
  /** `topic` is undefined for all topics. `node` is a node, or a client that is in a group: see `memberName`. */
  | {
      readonly source: 'topic';
      readonly node: string;
      readonly topic: string | undefined;
      readonly event: TopicEvent;
    }
  | {
      readonly source: 'node';
      readonly node: string;
      readonly event: 'closed' | 'closing' | 'killed' | 'resumed' | 'stalled' | 'started';
    }
  /** Members of a group as a node reads them, or as its watcher knows them. */
  | {
      readonly source: 'presence';
      readonly node: string;
      readonly topic: string;
      readonly event: 'read' | 'watched';
      readonly members: readonly string[];
    }
  /** A resource that a node has not released although all clients have closed, or an error that it has logged. */
  | { readonly source: 'leftover'; readonly node: string; readonly event: string }
  /** `emptied`: the engine has lost its records. Other events only explain a history. */
  | { readonly source: 'engine'; readonly event: 'emptied' | (string & {}) }
  /** All faults have ended, and everything that was sent until then must have arrived. */
  | { readonly source: 'end'; readonly event: 'settled' };

/** Group that connections join. Nodes and clients log its messages like those of a topic. */
export const GROUP = 'green';
const GROUP_TEXT = /^group (\w+)-/;

/** Returns the name under which a client is logged in a group. */
export function memberName(attempt: number): string {
  return `attempt ${attempt}`;
}

/** Returns the text of a message to the group. */
export function groupText(node: string, number: number): string {
  return `group ${node}-${number}`;
}

/** Returns the publisher of a message to the group, or undefined for another message. */
export function groupPublisher(text: string): string | undefined {
  return GROUP_TEXT.exec(text)?.[1];
}

/** `at` is a time in milliseconds. */
export type ClusterEvent = ClusterEventBody & { readonly at: number };

export interface SessionRecord {
  readonly session: number;
  readonly node: string;
  readonly log: DeliveryLog;
  /** Time of the first and of the last event. */
  readonly openedAt: number;
  closedAt: number | undefined;
}

/** One attempt of a client, with all sessions that nodes have opened for it. */
export interface AttemptRecord {
  readonly attempt: number;
  readonly client: DeliveryLog;
  readonly sessions: SessionRecord[];
  /** State of both ends when all faults had ended. */
  settled: { readonly client: number; readonly session: number } | undefined;
}

/** Log of one history. */
export class ClusterLog {
  readonly events: ClusterEvent[] = [];
  readonly #now: () => number;
  readonly #onEvent: (event: ClusterEvent) => void;

  /**
   * @param now returns the time in milliseconds
   * @param onEvent called with each event. By default it is added to `events`
   */
  constructor(now: () => number, onEvent?: (event: ClusterEvent) => void) {
    this.#now = now;
    this.#onEvent = onEvent ?? ((event) => this.events.push(event));
  }

  add(body: ClusterEventBody): void {
    this.#onEvent({ ...body, at: this.#now() });
  }
}

/** Events up to the first one that has settled, and all others. */
export function attemptsOf(events: readonly ClusterEvent[]): readonly AttemptRecord[] {
  const attempts = new Map<number, AttemptRecord>();
  const attemptOf = (attempt: number): AttemptRecord => {
    const found = attempts.get(attempt);
    if (found !== undefined) return found;
    const created = { attempt, client: new DeliveryLog(), sessions: [], settled: undefined };
    attempts.set(attempt, created);
    return created;
  };
  for (const event of events) {
    if (event.source === 'client') addTo(attemptOf(event.attempt).client, event.event);
    else if (event.source === 'session') addToSession(attemptOf(event.attempt), event);
    else if (event.source === 'end')
      for (const record of attempts.values())
        record.settled = {
          client: record.client.events.length,
          session: record.sessions[0]?.log.events.length ?? 0,
        };
  }
  return [...attempts.values()];
}

function addTo(log: DeliveryLog, event: DeliveryEvent): void {
  if (event.type === 'opened') log.opened();
  else if (event.type === 'closed') log.closed(event.status.code, event.status.reason);
  else log[event.type](event.text);
}

function addToSession(
  { sessions }: AttemptRecord,
  { session, node, event, at }: Extract<ClusterEvent, { source: 'session' }>,
): void {
  let record = sessions.find((one) => one.session === session);
  if (record === undefined) {
    record = { session, node, log: new DeliveryLog(), openedAt: at, closedAt: undefined };
    sessions.push(record);
  }
  addTo(record.log, event);
  if (event.type === 'closed') record.closedAt ??= at;
}
