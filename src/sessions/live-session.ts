/**
 * The pump: joins a pure session to whatever receives its frames, and to the application. Everything
 * that an application does (`send`, `close`) only changes the session and asks to be flushed; frames
 * are written, and handlers are called, from `flush` or from the event of a client. So a handler never
 * runs inside another one, and `close()` in the middle of `onMessage` finds nothing half changed.
 */
import type { ConnectionInfo } from '../http/connection-info.ts';
import { type Frame, closeFrame } from '../protocol/frame.ts';
import type { Message } from '../protocol/message.ts';
import { Session, type SessionEnd } from '../protocol/session.ts';
import type { Logger, Settings, TransportName } from '../settings.ts';
import type { Stats } from '../stats.ts';
import { type Application, Lifecycle, type Living } from './lifecycle.ts';
import type { Flushable, Turn } from './turn.ts';

/** Where frames go: a response, a WebSocket, one day another node. */
export interface Receiver {
  /** Written, but not yet taken by the network; in bytes. */
  readonly bufferedBytes: number;
  /** False: the peer does not keep up, and messages wait in the session until `drained`. */
  readonly writable: boolean;
  /** True: this receiver has taken all that it can, and the next one is awaited. */
  readonly full: boolean;
  write(frame: Frame): void;
  /** Nothing more will be written; what was written still goes out. */
  end(): void;
  /** Drops the connection, with whatever was not yet taken. */
  abort(): void;
}

/** What the sessions of one router share. */
export interface Surroundings {
  readonly settings: Settings;
  readonly logger: Logger;
  readonly stats: Stats;
  readonly turn: Turn;
  /** Milliseconds that only ever grow. */
  readonly clock: () => number;
  /** The session has reached a state in which a draining router need not wait for it. */
  settled(session: LiveSession): void;
  /** The session is closed: nothing refers to it any more. */
  forget(session: LiveSession): void;
}

/** PROTOCOL "The session's life", 2. */
const OCCUPIED = closeFrame(2010, 'Another connection still open');
/** The client did not keep up: WebSocket's "try again later". */
const TOO_SLOW: SessionEnd = { code: 1013, reason: 'Client does not keep up' };

export class LiveSession implements Flushable, Living {
  readonly transport: TransportName;
  readonly info: ConnectionInfo;
  /** Under what the directory knows it; undefined for WebSockets, which nobody looks up. */
  readonly key: string | undefined;
  readonly #surroundings: Surroundings;
  readonly #core: Session;
  readonly #lifecycle: Lifecycle;
  #receiver: Receiver | undefined;
  /** Let go with its last frame still on its way: the client is busy, not gone. */
  #leaving: Receiver | undefined;
  #flushing = false;
  #isAwaited = false;
  /** A sender was told to wait, and has to be told to go on. */
  #isLagging = false;
  #ended = false;
  #forgotten = false;

  constructor(
    surroundings: Surroundings,
    origin: { transport: TransportName; info: ConnectionInfo; key: string | undefined },
    createApplication: (session: LiveSession) => Application,
  ) {
    this.#surroundings = surroundings;
    this.transport = origin.transport;
    this.info = origin.info;
    this.key = origin.key;
    this.#core = new Session(surroundings.settings, origin.key !== undefined, surroundings.clock());
    this.#lifecycle = new Lifecycle(createApplication(this), this, surroundings.logger);
  }

  get isOpen(): boolean {
    return this.#core.state === 'open';
  }

  /** Open, and `onOpen` has settled without refusing: what is meant for members may be sent. */
  get isAccepted(): boolean {
    return this.isOpen && this.#lifecycle.isAccepted;
  }

  get isClosed(): boolean {
    return this.#core.end !== undefined;
  }

  /** What waits for the client, here and in its connection; in bytes. */
  get bufferedBytes(): number {
    return this.#core.queuedBytes + (this.#receiver?.bufferedBytes ?? 0);
  }

  get logger(): Logger {
    return this.#surroundings.logger;
  }

  get deadline(): number {
    return this.#core.deadline;
  }

  /** Whether nothing more can be done for the client: it was told the end, or there is no one to tell. */
  get isSettled(): boolean {
    return this.#forgotten || (this.#core.endSaid && this.#receiver === undefined);
  }

  /** Whether an asynchronous `onOpen` is under way. */
  get isOpening(): boolean {
    return this.#lifecycle.opening !== undefined;
  }

  /** Waits for `onOpen`. One may wait at a time, or a client could pile up requests behind it. */
  async opened(): Promise<boolean> {
    if (this.#isAwaited) return false;
    this.#isAwaited = true;
    await this.#lifecycle.opening;
    this.#isAwaited = false;
    return true;
  }

  // From the client

  /** @returns false if another receiver is attached: this one has been told so, and ended */
  attach(receiver: Receiver): boolean {
    const now = this.#surroundings.clock();
    if (!this.#core.attach(now)) {
      receiver.write(OCCUPIED);
      receiver.end();
      return false;
    }
    this.#receiver = receiver;
    this.#surroundings.stats.receiverAttached();
    this.#flush(now);
    return true;
  }

  /** @returns whether the session is open, so that the messages have reached the application or will */
  receive(messages: readonly (string | Uint8Array)[]): boolean {
    if (!this.isOpen) return false;
    this.#surroundings.stats.received(messages.length, this.#surroundings.clock());
    for (const message of messages) this.#lifecycle.deliver(message);
    return true;
  }

  /** The receiver can be written to again. */
  drained(): void {
    this.#flush(this.#surroundings.clock());
  }

  /** All that a receiver was given has left, after it had been let go. */
  sent(receiver: Receiver): void {
    if (receiver !== this.#leaving) return;
    this.#leaving = undefined;
    this.#core.awaitReceiver(this.#surroundings.clock());
  }

  /**
   * A receiver broke off before all that it was given had left, or its WebSocket closed with `end`. If it
   * had been let go already, its last frame is lost all the same, and the next receiver is told.
   */
  interrupted(receiver: Receiver, end?: SessionEnd): void {
    const now = this.#surroundings.clock();
    if (receiver === this.#leaving) this.#leaving = undefined;
    if (receiver === this.#receiver) {
      this.#release();
      this.#core.interrupt(now, end);
    } else {
      this.#core.fail(now, end);
    }
    this.#flush(now);
  }

  // From the application

  /** @returns whether the client keeps up: false asks the sender to wait */
  send(message: Message): boolean {
    if (!this.#core.send(message)) return false;
    const { settings } = this.#surroundings;
    const waiting = this.bufferedBytes;
    // One message may exceed the limit on its own: what counts is that nothing piles up behind it.
    if (waiting > settings.maxBufferedBytes && waiting > message.size) {
      this.#core.interrupt(this.#surroundings.clock(), TOO_SLOW);
      this.#surroundings.logger.info(
        `A client left more than maxBufferedBytes (${settings.maxBufferedBytes}) waiting and was closed with 1013.`,
      );
      this.#cutOff();
    }
    this.#requestFlush();
    if (!this.#keepsUp) this.#isLagging = true;
    return !this.#isLagging;
  }

  close(code: number, reason: string): void {
    this.#core.close({ code, reason }, this.#surroundings.clock());
    this.#requestFlush();
  }

  // From time

  tick(now: number): void {
    if (this.#receiver === undefined && this.#leaving !== undefined) return;
    this.#core.tick(now);
    this.#flush(now);
  }

  /** The end, at once, whatever was still to be said. */
  terminate(end: SessionEnd): void {
    const now = this.#surroundings.clock();
    this.#core.close(end, now);
    this.#core.tick(Infinity);
    this.#flush(now);
  }

  flush(): void {
    this.#flushing = false;
    this.#flush(this.#surroundings.clock());
  }

  #requestFlush(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    this.#surroundings.turn.add(this);
  }

  #flush(now: number): void {
    this.#write(now);
    if (this.isOpen) this.#lifecycle.open();
    const { end } = this.#core;
    if (end !== undefined) {
      this.#over(end);
    } else if (this.#isLagging && this.#keepsUp) {
      this.#isLagging = false;
      this.#lifecycle.drained();
    }
  }

  get #keepsUp(): boolean {
    const { highWaterMark } = this.#surroundings.settings;
    return this.#core.queuedBytes < highWaterMark && this.#receiver?.writable !== false;
  }

  #write(now: number): void {
    let receiver = this.#receiver;
    while (receiver !== undefined && receiver.writable) {
      const frame = this.#core.nextFrame(now);
      if (frame === undefined) return;
      receiver.write(frame);
      if (frame.type === 'messages') this.#surroundings.stats.sent(frame.messages.length, now);
      if (frame.type === 'close') receiver.end();
      // A WebSocket is not let go until it has closed, so that its closing is watched over.
      if (this.key !== undefined && (frame.type === 'close' || receiver.full)) {
        this.#release();
        this.#core.detach(now);
        if (frame.type !== 'close') receiver.end();
        if (receiver.bufferedBytes > 0) this.#leaving = receiver;
      }
      receiver = this.#receiver;
    }
  }

  #over(end: SessionEnd): void {
    if (!this.#ended) {
      this.#ended = true;
      this.#surroundings.stats.sessionEnded(this.transport);
    }
    this.#lifecycle.close(end);
    if (this.#core.state === 'closed' && !this.#forgotten) {
      this.#forgotten = true;
      this.#cutOff();
      this.#surroundings.forget(this);
    }
    if (this.isSettled) this.#surroundings.settled(this);
  }

  #release(): void {
    if (this.#receiver === undefined) return;
    this.#receiver = undefined;
    this.#surroundings.stats.receiverDetached();
  }

  #cutOff(): void {
    const receiver = this.#receiver;
    this.#release();
    receiver?.abort();
  }
}
