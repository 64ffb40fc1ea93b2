/** The connection of an application: attempts, sessions and the outbox behind the interface of a WebSocket. */
import { type AttemptListener, connectSession } from './attempt.ts';
import {
  CLOSED,
  CLOSE_TIMEOUT_MS,
  CLOSING,
  CONFIRMED_AGE_MS,
  CONNECTING,
  MAX_REASON_BYTES,
  OPEN,
  SEND_PAUSE_MS,
  STABLE_MS,
  WATCHDOG_CHECKS,
} from './constants.ts';
import { Emitter, callSafely } from './emitter.ts';
import type { SocketEvents, SocketTarget } from './events.ts';
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

type Timer = ReturnType<typeof setTimeout>;

export class ReconnectingSocket extends Emitter implements Socket {
  readonly url: string;
  readyState: Socket['readyState'] = CONNECTING;
  transport: Socket['transport'] = '';
  onopen: Socket['onopen'] = null;
  onmessage: Socket['onmessage'] = null;
  onreconnecting: Socket['onreconnecting'] = null;
  onclose: Socket['onclose'] = null;
  readonly #options: CompleteOptions;
  readonly #outbox: Outbox;
  /** Aborts when the socket has closed. */
  readonly #closed = new AbortController();
  /** Close status of the application. */
  #closeStatus: Loss | undefined;
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
    // Skips the delay before the next attempt.
    const connectNow = (): void => {
      if (this.readyState === CONNECTING && this.#timer !== undefined) this.#connect();
    };
    const listeners = {
      online: connectNow,
      visibilitychange: connectNow,
      pagehide: () => {
        this.#isHidden = true;
        this.#lose({ code: 1001, reason: 'Page hidden' });
      },
      pageshow: () => {
        if (this.readyState === CONNECTING && this.#isHidden) this.#connect();
        this.#isHidden = false;
      },
    };
    listenToPage(listeners, this.#closed.signal);
    this.#connect();
  }

  get bufferedAmount(): number {
    return this.#outbox.queuedBytes + (this.#outlet?.bufferedAmount ?? 0);
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
    if (!isPageCode(code) || byteLength(reason) > MAX_REASON_BYTES)
      throw new TypeError('Close with 1000 or 3000 to 4999, and a short reason');
    if (this.readyState > OPEN) return;
    this.readyState = CLOSING;
    const status = { code, reason, wasClean: true };
    this.#closeStatus = status;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#lose(status), CLOSE_TIMEOUT_MS);
    this.#scheduleFlush();
  }

  #connect(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { signal } = (this.#link = new AbortController());
    const listener: AttemptListener = {
      onOpen: (outlet, transport) => this.#open(outlet, transport.name),
      onMessages: (messages) => this.#receive(messages),
      onLost: (loss) => this.#lose(loss),
    };
    void connectSession(this.url, this.#options, signal, listener)
      .catch(lossOf)
      .then((loss) => {
        if (loss !== undefined && !signal.aborted) this.#lose(loss);
      });
  }

  #open(outlet: Outlet, transport: TransportName): void {
    const reconnected = this.transport !== '';
    this.readyState = OPEN;
    this.transport = transport;
    this.#outlet = outlet;
    this.#openedAt = Date.now();
    this.#silentChecks = 0;
    const { heartbeatTimeout } = this.#options;
    const check = (): void => {
      this.#silentChecks += 1;
      if (this.#silentChecks >= WATCHDOG_CHECKS) this.#lose(lossOf('No heartbeat'));
    };
    if (heartbeatTimeout > 0)
      this.#watchdog = setInterval(check, heartbeatTimeout / WATCHDOG_CHECKS);
    this.#outbox.sendFirst(() => {
      this.dispatchEvent({ target: this, type: 'open', reconnected });
    });
    this.#scheduleFlush();
  }

  /** Called for each frame, which shows that the connection works. */
  #receive(messages: readonly string[]): void {
    this.#silentChecks = 0;
    if (!this.#isSending) this.#outbox.confirm(Date.now() - CONFIRMED_AGE_MS);
    for (const data of messages) {
      // A listener may have closed the socket.
      if (this.readyState !== OPEN) return;
      this.dispatchEvent({ target: this, type: 'message', data });
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
    if (this.#closeStatus !== undefined && !this.#isSending) this.#lose(this.#closeStatus);
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
    if (
      this.#closeStatus === undefined &&
      callSafely(() => this.#options.shouldReconnect(details) ?? !isFinal(loss), this, this)
    ) {
      this.#wait(details);
    } else {
      this.readyState = CLOSED;
      this.#closed.abort();
      this.dispatchEvent({ target: this, type: 'close', ...details });
    }
  }

  #wait(details: LossDetails): void {
    const { reconnectDelay, maxReconnectDelay } = this.#options;
    const limit = Math.min(maxReconnectDelay, reconnectDelay * 2 ** (details.attempt - 1));
    const delay = this.#isHidden ? Infinity : Math.random() * limit;
    this.readyState = CONNECTING;
    if (!this.#isHidden) this.#timer = setTimeout(() => this.#connect(), delay);
    this.dispatchEvent({ target: this, type: 'reconnecting', ...details, delay });
  }
}
