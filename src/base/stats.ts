/**
 * Statistics of a router: counters, and events on channels of `node:diagnostics_channel`.
 *
 * | channel | message | published when |
 * | --- | --- | --- |
 * | `sockjs-server:open` | `SessionOpenEvent` | a session has opened |
 * | `sockjs-server:close` | `SessionCloseEvent` | a session has closed |
 * | `sockjs-server:refuse` | `RefusalEvent` | a request was refused |
 *
 * A subscriber must not throw: `node:diagnostics_channel` turns its error into an uncaught exception, which ends the
 * process. A promise that it returns is not awaited.
 *
 * Counters that sockjs-tornado also has keep its names, in camel case.
 */
import { channel } from 'node:diagnostics_channel';
import { CLOSE_REASONS, type CloseCause, type CloseReason } from './close-reasons.ts';
import { BUFFER_KINDS, type BufferKind } from './memory-budget.ts';
import { Rate } from './rate.ts';
import { REFUSALS, type RefusalReason } from './refusal.ts';
import { TRANSPORT_NAMES, type TransportName } from './transport-name.ts';

/** Message of the channel `sockjs-server:open`. */
export interface SessionOpenEvent {
  readonly prefix: string;
  readonly transport: TransportName;
  /** Client address, as seen through trusted proxies. */
  readonly address: string;
}

/** Message of the channel `sockjs-server:close`. */
export interface SessionCloseEvent extends SessionOpenEvent, CloseReason {}

/** Message of the channel `sockjs-server:refuse`. */
export interface RefusalEvent {
  readonly prefix: string;
  readonly reason: RefusalReason;
  /** HTTP status. */
  readonly status: number;
  /** Client address, as seen through trusted proxies. */
  readonly address: string;
}

const OPENED = channel('sockjs-server:open');
const CLOSED = channel('sockjs-server:close');
const REFUSED = channel('sockjs-server:refuse');

/**
 * Snapshot of the counters. Rates are events per second over the last 10 s. Totals count since the router was
 * created.
 */
export interface SockJSStatsDump {
  /** Open sessions. */
  readonly sessionsActive: number;
  /** Receiving requests and WebSockets that are attached to a session. */
  readonly connectionsActive: number;
  /** Rate of requests and upgrades of every kind. */
  readonly connectionsPs: number;
  /** Rate of messages to clients. */
  readonly packetsSentPs: number;
  /** Rate of messages from clients. */
  readonly packetsRecvPs: number;
  /** Open sessions of the transport `websocket`. */
  readonly transpWebsocket: number;
  /** Open sessions of the transport `rawwebsocket`. */
  readonly transpRawwebsocket: number;
  /** Open sessions of the transport `xhr`. */
  readonly transpXhr: number;
  /** Open sessions of the transport `xhr_streaming`. */
  readonly transpXhrStreaming: number;
  /** Open sessions of the transport `eventsource`. */
  readonly transpEventsource: number;
  /** Open sessions of the transport `htmlfile`. */
  readonly transpHtmlfile: number;
  /** Open sessions of the transport `jsonp`. */
  readonly transpJsonp: number;
  /** Requests and upgrades of every kind. */
  readonly connectionsTotal: number;
  /** Sessions that have opened. */
  readonly sessionsTotal: number;
  /** Messages to clients. */
  readonly packetsSentTotal: number;
  /** Messages from clients. */
  readonly packetsRecvTotal: number;
  /** Bytes of the messages to clients, without frames. */
  readonly bytesSentTotal: number;
  /** Bytes of request bodies and WebSocket messages, with the JSON around the messages. */
  readonly bytesRecvTotal: number;
  /** Messages that the policy `drop-oldest` has dropped. */
  readonly packetsDroppedTotal: number;
  /** Pauses of clients that exceeded `maxMessagesPerSecond` or `maxConcurrentHandlers`. */
  readonly throttledTotal: number;
  /** Buffered bytes of all kinds. */
  readonly bufferedBytes: number;
  /**
   * Buffered bytes by kind: `output` for slow clients, incomplete WebSocket `messages`, incomplete request `bodies`, and
   * `delayedInput` that waits for handlers, the rate limit, `authorize` or `allowedOrigins`.
   */
  readonly buffered: Readonly<Record<BufferKind, number>>;
  /** Buffers that were evicted because their client held the most while a memory limit was exceeded. */
  readonly evictionsTotal: number;
  /** Refused requests, by reason. */
  readonly refused: Readonly<Record<RefusalReason, number>>;
  /** Closed sessions, by cause. */
  readonly closed: Readonly<Record<CloseCause, number>>;
}

function createCounters<Name extends string>(names: readonly Name[]): Record<Name, number> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `fromEntries` loses the names
  return Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>;
}

function namesOf<Name extends string>(table: Readonly<Record<Name, unknown>>): Name[] {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `keys` loses the names
  return Object.keys(table) as Name[];
}

function sum(counters: Readonly<Record<string, number>>): number {
  return Object.values(counters).reduce((total, count) => total + count, 0);
}

/** Counts the events of one router, and publishes them on the channels of `node:diagnostics_channel`. */
export class SockJSStats {
  readonly #prefix: string;
  readonly #clock: () => number;
  readonly #sessions = createCounters(TRANSPORT_NAMES);
  readonly #refused = createCounters(namesOf(REFUSALS));
  readonly #closed = createCounters<CloseCause>([
    ...namesOf(CLOSE_REASONS),
    'application',
    'client',
  ]);
  readonly #connections = new Rate();
  readonly #sent = new Rate();
  readonly #received = new Rate();
  #opened = 0;
  #receivers = 0;
  #bytesSent = 0;
  #bytesReceived = 0;
  #dropped = 0;
  #throttled = 0;
  readonly #buffered = createCounters(BUFFER_KINDS);
  #evictions = 0;

  constructor(prefix: string, clock: () => number) {
    this.#prefix = prefix;
    this.#clock = clock;
  }

  /** @internal */
  sessionOpened(transport: TransportName, address: string): void {
    this.#sessions[transport] += 1;
    this.#opened += 1;
    if (!OPENED.hasSubscribers) return;
    const event: SessionOpenEvent = { prefix: this.#prefix, transport, address };
    OPENED.publish(event);
  }

  /** @internal */
  sessionEnded(transport: TransportName, address: string, closeReason: CloseReason): void {
    this.#sessions[transport] -= 1;
    this.#closed[closeReason.cause] += 1;
    if (!CLOSED.hasSubscribers) return;
    const event: SessionCloseEvent = { prefix: this.#prefix, transport, address, ...closeReason };
    CLOSED.publish(event);
  }

  /** @internal */
  refused(reason: RefusalReason, status: number, address: string): void {
    this.#refused[reason] += 1;
    if (!REFUSED.hasSubscribers) return;
    const event: RefusalEvent = { prefix: this.#prefix, reason, status, address };
    REFUSED.publish(event);
  }

  /**
   * Counts a request or an upgrade.
   * @internal
   */
  connected(): void {
    this.#connections.add(1, this.#clock());
  }

  /** @internal */
  receiverAttached(): void {
    this.#receivers += 1;
  }

  /** @internal */
  receiverDetached(): void {
    this.#receivers -= 1;
  }

  /** @internal */
  sent(messages: number, bytes: number, now: number): void {
    this.#sent.add(messages, now);
    this.#bytesSent += bytes;
  }

  /** @internal */
  received(messages: number, bytes: number, now: number): void {
    this.#received.add(messages, now);
    this.#bytesReceived += bytes;
  }

  /** @internal */
  dropped(messages: number): void {
    this.#dropped += messages;
  }

  /** @internal */
  throttled(): void {
    this.#throttled += 1;
  }

  /**
   * @param change in bytes, negative when a buffer shrinks
   * @internal
   */
  buffered(kind: BufferKind, change: number): void {
    this.#buffered[kind] += change;
  }

  /** @internal */
  evicted(): void {
    this.#evictions += 1;
  }

  /** Returns a snapshot of all counters, as a plain object that can be written as JSON. */
  dump(): SockJSStatsDump {
    const now = this.#clock();
    const sessions = this.#sessions;
    return {
      sessionsActive: sum(sessions),
      connectionsActive: this.#receivers,
      connectionsPs: this.#connections.mean(now),
      packetsSentPs: this.#sent.mean(now),
      packetsRecvPs: this.#received.mean(now),
      transpWebsocket: sessions.websocket,
      transpRawwebsocket: sessions.rawwebsocket,
      transpXhr: sessions.xhr,
      transpXhrStreaming: sessions.xhr_streaming,
      transpEventsource: sessions.eventsource,
      transpHtmlfile: sessions.htmlfile,
      transpJsonp: sessions.jsonp,
      connectionsTotal: this.#connections.total,
      sessionsTotal: this.#opened,
      packetsSentTotal: this.#sent.total,
      packetsRecvTotal: this.#received.total,
      bytesSentTotal: this.#bytesSent,
      bytesRecvTotal: this.#bytesReceived,
      packetsDroppedTotal: this.#dropped,
      throttledTotal: this.#throttled,
      bufferedBytes: sum(this.#buffered),
      buffered: { ...this.#buffered },
      evictionsTotal: this.#evictions,
      refused: { ...this.#refused },
      closed: { ...this.#closed },
    };
  }
}
