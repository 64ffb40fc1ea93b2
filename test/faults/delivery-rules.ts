/**
 * Promises of SockJS about messages, checked against the logs of both ends of a connection.
 *
 * A message is accepted by a `send` that is called while its end is open. SockJS has no message numbers and
 * no acknowledgements, so its promises rest on TCP and on one rule: each event that may have lost a message
 * ends the session.
 *
 * 1. The messages that an end receives are a prefix of those that the other end has sent: in order, without
 *    gaps or duplicates.
 * 2. Nothing is missing if the client closed after every message had arrived. Nothing is missing at the
 *    client if the server closed and the network had no faults: messages that were sent before the close
 *    arrive before it. (The real client drops its buffered messages when it is closed, so this holds for
 *    `close` of the server only.)
 * 3. A message that was in flight when a connection was cut may be lost only if the session closes at both
 *    ends. While the session lives after a cut, rules 1 and 2 hold unchanged.
 * 4. An end opens at most once, and closes exactly once if it has opened. No event follows the close, and no
 *    message precedes the open event.
 * 5. A close by the server arrives with its code and reason.
 * 6. A client has one session. A connection that was cut, or stalled until the session was forgotten, is the
 *    exception: a late request may open another session under the same id. If the client has not opened, that
 *    one becomes its session. If it has, the client closes with 1006 `Server lost session` and receives
 *    nothing from it. No message is received by two sessions.
 *
 * One loss is outside these rules. EventSource and htmlfile cannot tell a complete response from one that was
 * cut, so they lose the end of a response that the server had finished at `responseLimit`, and go on. The
 * server cannot detect this either. The other transports notice an incomplete response, and close.
 */
import type { DeliveryEvent, DeliveryLog } from './delivery-log.ts';

export interface History {
  readonly client: DeliveryLog;
  /** The server's end of the session that the client has opened. */
  readonly session: DeliveryLog;
  /** Further sessions that the server had for the same client. */
  readonly others: readonly DeliveryLog[];
  /** `fault`: neither end closed the connection. */
  readonly endedBy: 'client after delivery' | 'client' | 'server' | 'fault';
  /** No connection was cut, or stalled for longer than a session lives. */
  readonly intact: boolean;
}

/** @param mayBeOpen true for an end whose process was killed, so that it may not have closed */
export function* lifecycleViolations(
  end: string,
  { events }: DeliveryLog,
  mayBeOpen = false,
): Generator<string> {
  const count = (wanted: DeliveryEvent['type']): number =>
    events.filter(({ type }) => type === wanted).length;
  if (count('opened') > 1) yield `${end} opened ${count('opened')} times`;
  const isOpen = mayBeOpen && count('closed') === 0;
  if (count('closed') !== 1 && !isOpen) yield `${end} closed ${count('closed')} times`;
  const last = events.at(-1)?.type;
  if (count('closed') > 0 && last !== 'closed') yield `${end} has ${last} as its last event`;
  const message = events.findIndex(({ type }) => type === 'sent' || type === 'received');
  const opened = events.findIndex(({ type }) => type === 'opened');
  if (message >= 0 && (opened < 0 || message < opened))
    yield `${end} had a message before it opened`;
}

function quote(text: string | undefined): string {
  return text === undefined ? 'nothing more' : JSON.stringify(text.slice(0, 40));
}

export function* lossViolations(
  end: string,
  received: readonly string[],
  sent: readonly string[],
  isComplete: boolean,
): Generator<string> {
  const differs = received.findIndex((text, index) => text !== sent[index]);
  if (differs >= 0) {
    const [actual, expected] = [quote(received[differs]), quote(sent[differs])];
    yield `${end} received ${actual} as message ${differs}, and ${expected} had been sent`;
  } else if (isComplete && received.length < sent.length) {
    yield `${end} received ${received.length} of ${sent.length} messages`;
  }
}

function* otherSessionViolations(history: History): Generator<string> {
  const { client, session, others, intact } = history;
  if (intact && others.length > 0) yield `the client had ${others.length + 1} sessions`;
  const sent = client.texts('sent');
  const byOthers = others.flatMap((other) => other.texts('received'));
  const all = [...new Set(session.texts('received')), ...byOthers];
  if (new Set(all).size < all.length) yield 'two sessions received the same message';
  if (byOthers.some((text) => !sent.includes(text)))
    yield 'another session received a message that was not sent';
}

/** @returns the broken rules, as text; an empty array if all were kept */
export function violations(history: History): string[] {
  const { client, session, others, endedBy, intact } = history;
  const isDelivered = endedBy === 'client after delivery';
  const toClient = [client.texts('received'), session.texts('sent')] as const;
  const toServer = [session.texts('received'), client.texts('sent')] as const;
  const found = [
    ...lifecycleViolations('the client', client),
    ...(client.hasOpened ? lifecycleViolations('the session', session) : []),
    ...others.flatMap((other) => Array.from(lifecycleViolations('another session', other))),
    ...lossViolations('the client', ...toClient, isDelivered || endedBy === 'server'),
    ...lossViolations('the server', ...toServer, isDelivered),
    ...otherSessionViolations(history),
  ];
  if (intact && endedBy === 'fault') found.push('it closed without a fault');
  const [actual, expected] = [client, session].map((log) => JSON.stringify(log.closeStatus));
  if (endedBy === 'server' && actual !== expected)
    found.push(`the client closed with ${actual}, and the server with ${expected}`);
  return found;
}
