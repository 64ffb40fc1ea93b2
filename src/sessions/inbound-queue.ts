import { type CloseReason, type CloseStatus, CLOSE_REASONS } from '../base/close-reasons.ts';
import type { ClientMemory, MemoryReservation } from '../base/memory-budget.ts';
import type { SockJSStats } from '../base/stats.ts';
import { MESSAGE_OVERHEAD_BYTES } from '../protocol/message.ts';
import type { RateLimit } from './rate-limit.ts';

export type InboundMessage = string | Uint8Array;

/** Cause of a delay: `onOpen` is pending, too many handlers are pending, or the client is over its rate limit. */
export type InputDelay = 'opening' | 'handlers' | 'rateLimit';

export interface InboundSettings {
  /** Limit for calls of `onMessage` and `onBinary` whose promises are pending. */
  readonly maxConcurrentHandlers: number;
  /** `wait` delays a client over its rate limit, `close` closes it with 1008. */
  readonly rateLimitPolicy: 'wait' | 'close';
}

/** Objects of the router that input needs. */
export interface InboundContext {
  readonly settings: InboundSettings;
  readonly stats: SockJSStats;
  /** Monotonic clock in milliseconds. */
  readonly clock: () => number;
}

/** Connection whose input is delayed. */
export interface InboundOwner {
  readonly memory: ClientMemory;
  readonly context: InboundContext;
  /** Set as soon as the connection is closing. No message is handled after that. */
  readonly closeReason: CloseStatus | undefined;
  close(reason: CloseReason): void;
}

/** Limit for messages that arrive after input is delayed, in addition to those that had arrived by then. */
const MAX_FURTHER_BYTES = 4 * 1024 * 1024;
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/**
 * Passes the messages of one client to their handlers, in order. They wait while `onOpen` is pending, while
 * `maxConcurrentHandlers` are, and while the client is over its rate limit. The transport then reads no more input, but
 * the rest of a request or of a chunk has arrived already, and a channel of `multiplex` cannot delay its client while
 * it opens.
 */
export class InboundQueue {
  readonly #owner: InboundOwner;
  readonly #handle: (data: InboundMessage) => void;
  readonly #rateLimit: RateLimit | undefined;
  #state: 'opening' | 'open' | 'closed' = 'opening';
  /** True while the transport waits in `allowed`. */
  #isAwaited = false;
  #pendingHandlers = 0;
  #holds = 0;
  /** Messages that wait. Those before `#next` are handled. */
  #messages: InboundMessage[] = [];
  #next = 0;
  #bytes = 0;
  #maxBytes = 0;
  #reservation: MemoryReservation | undefined;
  /** Runs while the client is over its rate limit. */
  #timer: NodeJS.Timeout | undefined;
  #readyWatchers: (() => void)[] | undefined;

  /** @param rateLimit undefined for a channel, whose session has one */
  constructor(
    owner: InboundOwner,
    handle: (data: InboundMessage) => void,
    rateLimit: RateLimit | undefined,
  ) {
    this.#owner = owner;
    this.#handle = handle;
    this.#rateLimit = rateLimit;
  }

  /** Cause to delay further input, or undefined. */
  get delay(): InputDelay | undefined {
    if (this.#state !== 'open') return this.#state === 'opening' ? 'opening' : undefined;
    if (this.#isBusy) return 'handlers';
    return this.#isEmpty && this.#timer === undefined ? undefined : 'rateLimit';
  }

  /** Resolves when `delay` is undefined. */
  ready(): Promise<void> {
    if (this.delay === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      (this.#readyWatchers ??= []).push(resolve);
    });
  }

  /**
   * Waits for `ready`, for a transport that reads no input meanwhile.
   * @returns a promise of true, or of false at once while another call waits, since a client could pile up requests
   */
  async allowed(): Promise<boolean> {
    if (this.#isAwaited) return false;
    this.#isAwaited = true;
    await this.ready();
    this.#isAwaited = false;
    return true;
  }

  /** True while the transport reads no input, so that the client cannot show that it is connected. */
  get isAwaited(): boolean {
    return this.#isAwaited;
  }

  /** Begins to handle messages. */
  open(): void {
    this.#state = 'open';
    this.#handleDelayed();
  }

  /** Drops the messages that wait. */
  close(): void {
    this.#state = 'closed';
    this.#drop();
    this.#wake();
  }

  /**
   * Passes messages to their handlers, or delays them. Input without a message counts as one, so that it is not free.
   * @param now in milliseconds
   */
  push(messages: readonly InboundMessage[], now: number): void {
    if (this.#closeIfOverRate(messages.length, now)) return;
    if (messages.length === 0) this.charge(1, now);
    let isDelayed = false;
    for (const data of messages) {
      if (this.#state === 'closed' || this.#owner.closeReason !== undefined) return;
      if (this.#isEmpty && this.#mayHandle(now)) {
        this.#handle(data);
      } else {
        this.#delayMessage(data);
        isDelayed = true;
      }
    }
    if (isDelayed) this.#checkLimits(now);
  }

  /** Counts input without a message against the rate limit. @param now in milliseconds */
  charge(count: number, now: number): void {
    if (this.#rateLimit === undefined || this.#state !== 'open') return;
    if (this.#closeIfOverRate(count, now)) return;
    const wasDelayed = this.delay !== undefined;
    this.#rateLimit.charge(count, now);
    this.#scheduleIfOverRate(now);
    if (!wasDelayed && this.delay !== undefined) this.#owner.context.stats.throttled();
  }

  /** Admits messages that have arrived while the process could not read. @param lost in milliseconds */
  extendBurst(lost: number, now: number): void {
    this.#rateLimit?.extend(lost, now);
  }

  /** Delays input while the promise of a handler is pending, if `maxConcurrentHandlers` are. It must not reject. */
  countPending(handler: Promise<unknown>): void {
    this.#pendingHandlers += 1;
    void handler.then(() => {
      this.#pendingHandlers -= 1;
      this.#handleDelayed();
    });
  }

  /** Delays input while a promise is pending, which must not reject. */
  hold(until: Promise<unknown>): void {
    this.#holds += 1;
    void until.then(() => {
      this.#holds -= 1;
      this.#handleDelayed();
    });
  }

  get #isEmpty(): boolean {
    return this.#messages.length === 0;
  }

  get #isBusy(): boolean {
    const { maxConcurrentHandlers } = this.#owner.context.settings;
    return this.#pendingHandlers >= maxConcurrentHandlers || this.#holds > 0;
  }

  /** Returns whether the next message may be handled, and counts it against the rate limit. */
  #mayHandle(now: number): boolean {
    if (this.#state !== 'open' || this.#isBusy) return false;
    return this.#rateLimit === undefined || this.#rateLimit.take(now);
  }

  #closeIfOverRate(messages: number, now: number): boolean {
    const { rateLimitPolicy } = this.#owner.context.settings;
    if (rateLimitPolicy !== 'close' || this.#rateLimit === undefined) return false;
    if (this.#rateLimit.delay(messages, now) === 0) return false;
    this.#owner.close(CLOSE_REASONS.rateLimited);
    return true;
  }

  #delayMessage(data: InboundMessage): void {
    if (this.#isEmpty && this.#state === 'open') this.#owner.context.stats.throttled();
    this.#messages.push(data);
    this.#bytes += data.length + MESSAGE_OVERHEAD_BYTES;
  }

  /** Closes the connection if too many bytes wait, and sets a timer if they wait for the rate limit. */
  #checkLimits(now: number): void {
    const { memoryLimit, beforeAccept, rateLimited } = CLOSE_REASONS;
    const onEvicted = (): void => this.#owner.close(memoryLimit);
    this.#reservation ??= this.#owner.memory.reserve('delayedInput', onEvicted);
    if (this.#maxBytes === 0) this.#maxBytes = this.#bytes + MAX_FURTHER_BYTES;
    if (this.#bytes > this.#maxBytes) {
      this.#owner.close(this.#state === 'opening' ? beforeAccept : rateLimited);
    } else if (!this.#reservation.resize(this.#bytes)) {
      onEvicted();
    } else {
      this.#scheduleIfOverRate(now);
    }
  }

  #scheduleIfOverRate(now: number): void {
    if (this.#rateLimit === undefined || this.#state !== 'open' || this.#isBusy) return;
    const delay = Math.ceil(this.#rateLimit.delay(this.#isEmpty ? 0 : 1, now));
    if (delay > 0) this.#timer ??= setTimeout(this.#handleDelayed, Math.min(delay, MAX_TIMEOUT_MS));
  }

  /** Handles messages until one has to wait. */
  readonly #handleDelayed = (): void => {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const now = this.#owner.context.clock();
    if (this.#isEmpty) this.#scheduleIfOverRate(now);
    else this.#handleUntilDelayed(now);
    this.#wake();
  };

  #handleUntilDelayed(now: number): void {
    while (this.#next < this.#messages.length) {
      if (this.#owner.closeReason !== undefined) return this.#drop();
      if (!this.#mayHandle(now)) return this.#checkLimits(now);
      const data = this.#messages[this.#next] ?? '';
      this.#messages[this.#next] = ''; // Frees the message.
      this.#next += 1;
      this.#bytes -= data.length + MESSAGE_OVERHEAD_BYTES;
      this.#handle(data);
    }
    this.#drop();
  }

  #drop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#messages = [];
    this.#next = 0;
    this.#bytes = 0;
    this.#maxBytes = 0;
    this.#reservation?.release();
  }

  #wake(): void {
    if (this.#readyWatchers === undefined || this.delay !== undefined) return;
    const watchers = this.#readyWatchers;
    this.#readyWatchers = undefined;
    for (const resolve of watchers) resolve();
  }
}
