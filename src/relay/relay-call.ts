/** One relayed request, from its start to the end of its response. */
import { copyOf } from '../base/receive-buffer.ts';
import type { Exchange, ResponseListener } from '../http/exchange.ts';
import { type ResponseHead, parseResponse } from './relay-head.ts';
import type { RelayLink } from './relay-link.ts';
import type { RelayStream, StreamListener } from './relay-stream.ts';

/**
 * `responded`: the response has started. `disconnected`: the client has gone. Otherwise the client has no response yet.
 * `unknown`: the owner has no such session. `refused`: it has another version of the protocol or another secret, or
 * takes no more requests.
 * `failed`: it cannot be reached, so it has not handled the request. `gone`: it has ended or does not respond in time,
 * and may have handled the request.
 */
export type RelayOutcome = 'disconnected' | 'failed' | 'gone' | 'refused' | 'responded' | 'unknown';

/** A request that waits for a link, or uses it. */
export interface LinkUser {
  /** True while there is no response. */
  readonly isPending: boolean;
  /** Called when the link is open. */
  start(link: RelayLink): void;
  /** Called if the link cannot be opened. */
  fail(outcome: RelayOutcome): void;
  /** Adds to the time in which the owner was silent. */
  addSilence(ms: number): void;
}

export interface RelayEvents {
  /** Called with the reason that a node has not responded. */
  onFailed(error: Error): void;
  /** Called when the response is complete, the client has disconnected, or the owner has no such session. */
  onEnd(): void;
  /** Called when the link is no longer needed. */
  onReleased(): void;
}

/** A request to the owner of a session. */
export interface CallRequest {
  readonly exchange: Exchange;
  readonly head: string;
  readonly body: Buffer | undefined;
  /** Time in milliseconds in which the owner has to send something. */
  readonly silenceLimit: number;
}

/** A request to the owner of a session, whose response is passed on to the client as it arrives. */
export class RelayCall implements LinkUser, ResponseListener, StreamListener {
  readonly outcome: Promise<RelayOutcome>;
  readonly #exchange: Exchange;
  readonly #silenceLimit: number;
  readonly #events: RelayEvents;
  /** The request, until it is sent. */
  #request: { readonly head: string; readonly body: Buffer | undefined } | undefined;
  #settle: (outcome: RelayOutcome) => void = () => {};
  #stream: RelayStream | undefined;
  /** Time without a byte of the owner in which the client could take one, in milliseconds. */
  #silence = 0;
  /** Bytes that wait for the client. */
  #waiting = 0;
  /** `complete`: the whole response has arrived, and the client does not have all of it yet. */
  #state: 'pending' | 'streaming' | 'sized' | 'complete' | 'ended' = 'pending';
  /** True for a receiving request, whose owner has to know that the client has the frames. */
  readonly #isConfirmed: boolean;

  constructor({ exchange, head, body, silenceLimit }: CallRequest, events: RelayEvents) {
    this.#exchange = exchange;
    this.#silenceLimit = silenceLimit;
    this.#events = events;
    this.#request = { head, body };
    this.#isConfirmed = body === undefined;
    this.outcome = new Promise((resolve) => {
      this.#settle = resolve;
    });
    exchange.listen(this);
  }

  get isPending(): boolean {
    return this.#state === 'pending';
  }

  start(link: RelayLink): void {
    const request = this.#request;
    this.#request = undefined;
    this.#silence = 0;
    this.#stream = link.open(this);
    if (this.#stream === undefined) {
      this.#events.onFailed(new Error('too many requests wait for their responses'));
      this.fail('refused');
    } else if (request !== undefined) {
      this.#stream.request(request.head, request.body === undefined ? '' : [request.body]);
    }
  }

  fail(outcome: RelayOutcome): void {
    this.#settle(outcome);
    this.#end();
  }

  /** Aborts the request when the owner is silent for too long. */
  addSilence(ms: number): void {
    if (this.#waiting > 0 || this.#state === 'complete') return;
    this.#silence += ms;
    if (this.#silence < this.#silenceLimit) return;
    if (this.isPending)
      this.#events.onFailed(new Error(`no response within ${this.#silenceLimit} ms`));
    this.#stream?.abort();
    this.onAbort();
  }

  onDrain(): void {
    const bytes = this.#waiting;
    this.#waiting = 0;
    this.#stream?.consume(bytes);
  }

  onFinish(): void {
    this.#settle('responded');
    this.#events.onEnd();
    if (this.#state !== 'complete') return;
    this.#stream?.confirm();
    this.#end();
  }

  /** The owner notices the end of its stream as it would notice the end of the client's connection. */
  onDisconnect(): void {
    this.#settle('disconnected');
    this.#events.onEnd();
    this.#stream?.abort();
    this.#end();
  }

  onWriteTimeout(): void {
    this.#exchange.abort();
  }

  /**
   * Passes the response on as fast as the client takes it. The owner therefore notices a slow client, and bytes that
   * this node buffers are bounded.
   */
  onResponse(head: string, body: Buffer, isLast: boolean): void {
    if (!this.isPending) throw new Error('two responses to one request');
    this.#settle('responded');
    try {
      this.#respond(parseResponse(head), body, isLast);
    } catch (error) {
      // A client may have sent a header that the owner has copied, and that Node does not write.
      this.#events.onFailed(new Error('its response is invalid', { cause: error }));
      this.#exchange.abort();
      this.#stream?.abort();
      this.#end();
    }
  }

  onData(bytes: Buffer, isLast: boolean): void {
    if (this.#state !== 'streaming' && this.#state !== 'sized')
      throw new Error('bytes outside of a response');
    this.#silence = 0;
    if (bytes.length > 0) this.#passOn(bytes);
    if (!isLast) return;
    this.#complete();
    this.#exchange.end();
  }

  onUnknown(): void {
    if (!this.isPending) return this.onAbort();
    this.#events.onEnd();
    return this.fail('unknown');
  }

  onSent(): void {}

  onDelivered(): void {
    throw new Error('delivered by the node that has responded');
  }

  /**
   * An abort would be an error for the client. After the end of a stream it polls again, and gets the close frame: the
   * owner interrupts a session whose response was not confirmed.
   */
  onAbort(): void {
    this.#settle('gone');
    if (this.#state === 'streaming') this.#exchange.end();
    if (this.#state === 'sized') this.#exchange.abort();
    this.#end();
  }

  #respond({ status, headers }: ResponseHead, body: Buffer, isLast: boolean): void {
    if (isLast) {
      this.#complete();
      this.#exchange.respond(status, headers, body.length === 0 ? undefined : body.toString());
    } else {
      this.#state = headers.includes('Content-Length') ? 'sized' : 'streaming';
      this.#exchange.startStream(headers, status);
      this.onData(body, false);
    }
  }

  /** Writes bytes. Those that wait for the client are copied, since a view would keep more of them in memory. */
  #passOn(bytes: Buffer): void {
    const exchange = this.#exchange;
    exchange.write([exchange.writable ? bytes : copyOf(bytes)]);
    if (exchange.writable) this.#stream?.consume(bytes.length);
    else this.#waiting += bytes.length;
  }

  #complete(): void {
    this.#state = 'complete';
    if (this.#isConfirmed) return;
    this.#stream?.close();
    this.#end();
  }

  #end(): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#events.onReleased();
  }
}
