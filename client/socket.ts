/** The connection of an application: attempts, sessions and the outbox behind the interface of a WebSocket. */
import type { SocketEvents, SocketTarget } from './events.ts';
import { connectSession } from './attempt.ts';
import { type Loss, isFinal, isPageCode, lossOf } from './loss.ts';
import {
  type CompleteOptions,
  type CoreOptions,
  type LossDetails,
  completeOptions,
} from './options.ts';
import { Outbox, byteLength } from './outbox.ts';
import { listenToPage, page } from './page.ts';
import type { Outlet, TransportName } from './transport.ts';

const CONNECTING = 0;
const OPEN = 1;
const CLOSING = 2;
const CLOSED = 3;

/** Time open after which the backoff starts again. */
const STABLE_MS = 10_000;
/** Age of a message on a WebSocket at which a frame from the server shows that it has been delivered. */
const CONFIRMED_AGE_MS = 1000;
/** Time after a sending request in which messages are gathered for the next one. */
const SEND_PAUSE_MS = 25;
/** Time to send what is queued when the application closes. */
const CLOSE_TIMEOUT_MS = 5000;
/** Checks for a frame in one heartbeat timeout. Several, since only one of them is due after a suspension. */
const WATCHDOG_CHECKS = 4;
const MAX_REASON_BYTES = 123;

const EVENT_TYPES = ['open', 'message', 'reconnecting', 'close'] as const;

/** The connection. It has the interface of a WebSocket for text. */
export interface Socket extends SocketTarget {
  readonly url: string;
  /** 0 connecting or reconnecting, 1 open, 2 closing, 3 closed. */
  readonly readyState: number;
  /** Bytes of messages that wait to be sent. */
  readonly bufferedAmount: number;
  /** Transport of the session, or '' before the first one has opened. */
  readonly transport: TransportName | '';
  onopen: ((event: SocketEvents['open']) => void) | null;
  onmessage: ((event: SocketEvents['message']) => void) | null;
  onreconnecting: ((event: SocketEvents['reconnecting']) => void) | null;
  onclose: ((event: SocketEvents['close']) => void) | null;
  /**
   * Sends a message, or queues it while the socket is not open. What an `open` listener sends precedes the queue.
   * @returns false if the message is not taken: the socket is closed, or `maxBufferedBytes` is reached
   * @throws TypeError if it is not a string
   */
  send(message: string): boolean;
  /**
   * Sends what is queued if the socket is open, and closes.
   * @param code 1000 (default) or 3000 to 4999
   * @param reason up to 123 bytes
   * @throws TypeError for another code or a longer reason
   */
  close(code?: number, reason?: string): void;
}

function checkUrl(url: string | URL): string {
  const { href, protocol, hash } = new URL(url, page.location?.href);
  if (!/^https?:$/.test(protocol) || hash !== '')
    throw new TypeError(`Not an http(s) URL without #: ${href}`);
  return href;
}

function checkClose(code: number, reason: string): void {
  if (!isPageCode(code) || byteLength(reason) > MAX_REASON_BYTES)
    throw new TypeError('Close with 1000 or 3000 to 4999, and a short reason');
}

type Timer = ReturnType<typeof setTimeout>;

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the events of a type have the fields of their interface
export class ReconnectingSocket extends (EventTarget as new () => SocketTarget) implements Socket {
  readonly url: string;
  readyState: Socket['readyState'] = CONNECTING;
  transport: Socket['transport'] = '';
  declare onopen: Socket['onopen'];
  declare onmessage: Socket['onmessage'];
  declare onreconnecting: Socket['onreconnecting'];
  declare onclose: Socket['onclose'];
  readonly #options: CompleteOptions;
  readonly #outbox: Outbox;
  /** Aborts when the socket has closed. */
  readonly #closed = new AbortController();
  #closeStatus: Loss = { code: 1000, reason: '' };
  /** Aborts the attempt or its session. */
  #link = new AbortController();
  #outlet: Outlet | undefined;
  /** Time at which the session has opened. */
  #openedAt = Infinity;
  #attempts = 0;
  #isHidden = false;
  #isSending = false;
  /** Starts the next attempt, or ends a close that takes too long. */
  #timer: Timer | undefined;
  #watchdog: Timer | undefined;
  #silentChecks = 0;

  constructor(url: string | URL, options: CoreOptions) {
    super();
    this.url = checkUrl(url);
    this.#options = completeOptions(options);
    this.#outbox = new Outbox(this.#options.maxBufferedBytes);
    for (const type of EVENT_TYPES) {
      const property = `on${type}` as const;
      this[property] = null;
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- events of a type have its class
      this.addEventListener(type, (event) => this[property]?.(event as never));
    }
    const connectNow = (): void => this.#connectNow();
    const listeners = {
      online: connectNow,
      visibilitychange: connectNow,
      pagehide: () => this.#hide(),
      pageshow: () => this.#show(),
    };
    listenToPage(listeners, this.#closed.signal);
    this.#connect();
  }

  get bufferedAmount(): number {
    return this.#outbox.queuedBytes + (this.#outlet?.bufferedBytes ?? 0);
  }

  send(message: string): boolean {
    if (typeof message !== 'string') throw new TypeError('A message must be a string');
    // Otherwise a flush is due.
    const isFirst = this.#outbox.queuedBytes === 0;
    const isTaken = this.readyState <= OPEN && this.#outbox.push(message, this.bufferedAmount);
    if (isTaken && isFirst) this.#scheduleFlush();
    return isTaken;
  }

  close(code = 1000, reason = ''): void {
    checkClose(code, reason);
    if (this.readyState > OPEN) return;
    this.readyState = CLOSING;
    this.#closeStatus = { code, reason, wasClean: true };
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#lose(this.#closeStatus), CLOSE_TIMEOUT_MS);
    this.#scheduleFlush();
  }

  #connect(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#link = new AbortController();
    void connectSession(this.url, this.#options, this.#link.signal, {
      onOpen: (outlet, transport) => this.#open(outlet, transport.name),
      onMessages: (messages) => this.#receive(messages),
      onLost: (loss) => this.#lose(loss),
    });
  }

  /** Skips the delay before the next attempt. */
  #connectNow(): void {
    if (this.readyState === CONNECTING && this.#timer !== undefined) this.#connect();
  }

  #hide(): void {
    this.#isHidden = true;
    this.#lose({ code: 1001, reason: 'Page hidden' });
  }

  #show(): void {
    if (this.#isHidden && this.readyState === CONNECTING) this.#connect();
    this.#isHidden = false;
  }

  #open(outlet: Outlet, transport: TransportName): void {
    const reconnected = this.transport !== '';
    this.readyState = OPEN;
    this.transport = transport;
    this.#outlet = outlet;
    this.#openedAt = Date.now();
    this.#watch(this.#options.heartbeatTimeout / WATCHDOG_CHECKS);
    this.#outbox.sendFirst(() => this.#dispatch('open', { reconnected }));
    this.#scheduleFlush();
  }

  #watch(interval: number): void {
    this.#silentChecks = 0;
    const check = (): void => {
      this.#silentChecks += 1;
      if (this.#silentChecks >= WATCHDOG_CHECKS) this.#lose(lossOf('No heartbeat'));
    };
    if (interval > 0) this.#watchdog = setInterval(check, interval);
  }

  /** Called for each frame, which shows that the connection works. */
  #receive(messages: readonly string[]): void {
    this.#silentChecks = 0;
    if (!this.#isSending) this.#outbox.confirm(Date.now() - CONFIRMED_AGE_MS);
    for (const data of messages) {
      // A listener may have closed the socket.
      if (this.readyState !== OPEN) return;
      // Browsers take five times as long to create a `MessageEvent`.
      const event: Event & { data?: string } = new Event('message');
      event.data = data;
      this.dispatchEvent(event);
    }
  }

  /** Sends at the end of the turn, so that the messages of a turn share a body. */
  #scheduleFlush(): void {
    queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    while (this.#outlet !== undefined && !this.#isSending) {
      const body = this.#outbox.take(Date.now());
      if (body === undefined) break;
      const sent = this.#outlet.send(body);
      if (sent === undefined) continue;
      this.#isSending = true;
      void this.#confirm(sent, this.#outlet);
    }
    // A socket that is not open drops its queue.
    if (this.readyState === CLOSING && !this.#isSending) this.#lose(this.#closeStatus);
  }

  async #confirm(sent: Promise<boolean>, outlet: Outlet): Promise<void> {
    if (!(await sent) || outlet !== this.#outlet) return;
    this.#outbox.takeUncertain();
    setTimeout(() => {
      if (outlet !== this.#outlet) return;
      this.#isSending = false;
      this.#flush();
    }, SEND_PAUSE_MS);
  }

  /** Ends the attempt or the session, and waits for the next attempt or closes. */
  #lose(loss: Loss): void {
    if (this.readyState === CLOSED) return;
    clearTimeout(this.#timer);
    clearInterval(this.#watchdog);
    this.#timer = undefined;
    this.#isSending = false;
    this.#outlet = undefined;
    this.#link.abort(loss);
    if (loss.isUnsent) this.#outbox.restore();
    if (Date.now() - this.#openedAt > STABLE_MS) this.#attempts = 0;
    this.#openedAt = Infinity;
    this.#attempts += 1;
    const { code, reason, wasClean = false, status } = loss;
    const uncertain = this.#outbox.takeUncertain();
    const details = { code, reason, wasClean, status, attempt: this.#attempts, uncertain };
    if (this.readyState !== CLOSING && this.#shouldReconnect(details, isFinal(loss))) {
      this.#wait(details);
    } else {
      this.readyState = CLOSED;
      this.#closed.abort();
      this.#dispatch('close', details);
    }
  }

  #shouldReconnect(details: LossDetails, isLossFinal: boolean): boolean {
    try {
      return this.#options.shouldReconnect(details) ?? !isLossFinal;
    } catch (error) {
      // An error of the application is reported like that of a listener.
      // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- it may have thrown anything
      void Promise.reject(error);
      return false;
    }
  }

  #wait(details: LossDetails): void {
    const { reconnectDelay, maxReconnectDelay } = this.#options;
    const limit = Math.min(maxReconnectDelay, reconnectDelay * 2 ** (details.attempt - 1));
    const delay = this.#isHidden ? Infinity : Math.random() * limit;
    this.readyState = CONNECTING;
    if (!this.#isHidden) this.#timer = setTimeout(() => this.#connect(), delay);
    this.#dispatch('reconnecting', { ...details, delay });
  }

  #dispatch(type: string, fields: object): void {
    this.dispatchEvent(Object.assign(new Event(type), fields));
  }
}
