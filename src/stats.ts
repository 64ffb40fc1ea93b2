/**
 * What a router has done and is doing: counters that the pump keeps, and rates as means over the last
 * ten seconds. The figures and their names are those of sockjs-tornado.
 */
import type { TransportName } from './settings.ts';

const SECONDS = 10;

/** Events per second, as a mean over the last ten full seconds. */
class Rate {
  readonly #buckets = new Float64Array(SECONDS + 1);
  #second = 0;

  add(count: number, now: number): void {
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

/** One reading of the counters. Rates are per second. */
export interface StatsDump {
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
}

export class Stats {
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
  readonly #connections = new Rate();
  readonly #sent = new Rate();
  readonly #received = new Rate();
  #receivers = 0;

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** @internal */
  sessionOpened(transport: TransportName): void {
    this.#sessions[transport] += 1;
  }

  /** @internal */
  sessionEnded(transport: TransportName): void {
    this.#sessions[transport] -= 1;
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
  sent(messages: number, now: number): void {
    this.#sent.add(messages, now);
  }

  /** @internal */
  received(messages: number, now: number): void {
    this.#received.add(messages, now);
  }

  /** The figures of this moment, as a plain object that fits JSON. */
  dump(): StatsDump {
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
    };
  }
}
