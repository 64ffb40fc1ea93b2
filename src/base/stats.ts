/**
 * What a router has done and is doing. The pump and the edge tell of everything that happens here, once; it
 * is counted, and published to whoever listens on a channel of `node:diagnostics_channel`:
 *
 * | channel | with |
 * | --- | --- |
 * | `sockjs-server:open` | `SessionEvent`: a session has opened |
 * | `sockjs-server:close` | `CloseEvent`: it has ended |
 * | `sockjs-server:refuse` | `RefusalEvent`: a request was refused |
 *
 * The names of the figures are those of sockjs-tornado where it has them.
 */
import { channel } from 'node:diagnostics_channel';
import { CLOSE_REASONS, type CloseCause, type CloseReason } from './close-reasons.ts';
import { REFUSALS, type RefusalReason } from './refusal.ts';
import type { TransportName } from './settings.ts';

const SECONDS = 10;

/** Events in all, and per second as a mean over the last ten full seconds. */
class Rate {
  total = 0;
  readonly #buckets = new Float64Array(SECONDS + 1);
  #second = 0;

  add(count: number, now: number): void {
    this.total += count;
    const second = this.#advance(now);
    this.#buckets[second % this.#buckets.length] =
      (this.#buckets[second % this.#buckets.length] ?? 0) + count;
  }

  mean(now: number): number {
    const current = this.#advance(now) % this.#buckets.length;
    let sum = 0;
    for (const [index, count] of this.#buckets.entries()) if (index !== current) sum += count;
    return sum / SECONDS;
  }

  #advance(now: number): number {
    const second = Math.floor(now / 1000);
    const stale = Math.min(second - this.#second, this.#buckets.length);
    for (let past = 0; past < stale; past += 1)
      this.#buckets[(second - past) % this.#buckets.length] = 0;
    if (second > this.#second) this.#second = second;
    return second;
  }
}

/** On the channel `sockjs-server:open`. */
export interface SessionOpenEvent {
  readonly prefix: string;
  readonly transport: TransportName;
  /** The client's. */
  readonly address: string;
}

/** On the channel `sockjs-server:close`. */
export interface SessionCloseEvent extends SessionOpenEvent, CloseReason {}

/** On the channel `sockjs-server:refuse`. */
export interface RefusalEvent {
  readonly prefix: string;
  readonly reason: RefusalReason;
  /** Of HTTP. */
  readonly status: number;
  readonly address: string;
}

const OPENED = channel('sockjs-server:open');
const CLOSED = channel('sockjs-server:close');
const REFUSED = channel('sockjs-server:refuse');

/** One reading of the counters. Rates are per second, totals since the router was made. */
export interface SockJSStatsDump {
  /** Sessions that are open for the application. */
  readonly sessionsActive: number;
  /** Requests and WebSockets that are waiting for frames. */
  readonly connectionsActive: number;
  /** Requests and WebSockets that came in, of every kind. */
  readonly connectionsPs: number;
  /** Messages to clients. */
  readonly packetsSentPs: number;
  /** Messages from clients. */
  readonly packetsRecvPs: number;
  /** Sessions that are open, by the transport that opened them. */
  readonly transpWebsocket: number;
  readonly transpRawwebsocket: number;
  readonly transpXhr: number;
  readonly transpXhrStreaming: number;
  readonly transpEventsource: number;
  readonly transpHtmlfile: number;
  readonly transpJsonp: number;
  readonly connectionsTotal: number;
  readonly sessionsTotal: number;
  readonly packetsSentTotal: number;
  readonly packetsRecvTotal: number;
  /** Of the messages alone. */
  readonly bytesSentTotal: number;
  /** Of bodies and WebSocket messages, as they came. */
  readonly bytesRecvTotal: number;
  /** Messages that a client did not get because of the policy `drop-oldest`. */
  readonly packetsDroppedTotal: number;
  /** Times that a client was kept from sending because of `maxMessagesPerSecond`. */
  readonly throttledTotal: number;
  /** Bytes that wait for clients that do not keep up. */
  readonly bufferedBytes: number;
  /** Requests that were refused, by reason. */
  readonly refused: Readonly<Record<RefusalReason, number>>;
  /** Sessions that ended, by cause. */
  readonly closed: Readonly<Record<CloseCause, number>>;
}

function zeros<Name extends string>(names: readonly Name[]): Record<Name, number> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- fromEntries forgets the names
  return Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>;
}

function namesOf<Name extends string>(table: Readonly<Record<Name, unknown>>): Name[] {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- keys forgets the names
  return Object.keys(table) as Name[];
}

export class SockJSStats {
  readonly #prefix: string;
  readonly #clock: () => number;
  readonly #sessions: Record<TransportName, number> = {
    websocket: 0,
    rawwebsocket: 0,
    xhr: 0,
    xhr_streaming: 0,
    eventsource: 0,
    htmlfile: 0,
    jsonp: 0,
  };
  readonly #refused = zeros(namesOf(REFUSALS));
  readonly #closed = zeros<CloseCause>([...namesOf(CLOSE_REASONS), 'application', 'client']);
  readonly #connections = new Rate();
  readonly #sent = new Rate();
  readonly #received = new Rate();
  #opened = 0;
  #receivers = 0;
  #bytesSent = 0;
  #bytesReceived = 0;
  #dropped = 0;
  #throttled = 0;
  #buffered = 0;

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
  sessionEnded(transport: TransportName, address: string, end: CloseReason): void {
    this.#sessions[transport] -= 1;
    this.#closed[end.cause] += 1;
    if (!CLOSED.hasSubscribers) return;
    const event: SessionCloseEvent = { prefix: this.#prefix, transport, address, ...end };
    CLOSED.publish(event);
  }

  /** @internal */
  refused(reason: RefusalReason, status: number, address: string): void {
    this.#refused[reason] += 1;
    if (!REFUSED.hasSubscribers) return;
    const event: RefusalEvent = { prefix: this.#prefix, reason, status, address };
    REFUSED.publish(event);
  }

  /** @internal */
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

  /** @internal */
  buffered(change: number): void {
    this.#buffered += change;
  }

  /** The figures of this moment, as a plain object that fits JSON. */
  dump(): SockJSStatsDump {
    const now = this.#clock();
    const sessions = this.#sessions;
    return {
      sessionsActive: Object.values(sessions).reduce((sum, count) => sum + count, 0),
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
      bufferedBytes: this.#buffered,
      refused: { ...this.#refused },
      closed: { ...this.#closed },
    };
  }
}
