import { CLOSE_REASONS, type CloseReason } from '../base/close-reasons.ts';
import type { ConnectionInfo } from '../base/connection-info.ts';
import type { TransportName } from '../base/transport-name.ts';
import { OCCUPIED_FRAME } from '../protocol/frame.ts';
import type { Message } from '../protocol/message.ts';
import { SessionStateMachine } from '../protocol/state-machine.ts';
import { type Flushable, isLongQueue } from './flush-queue.ts';
import { FrameWriter } from './frame-writer.ts';
import {
  type ConnectionHandlers,
  type HandlerOwner,
  HandlerRunner,
  type HandlerWatcher,
} from './handler-runner.ts';
import type { InputDelay } from './inbound-queue.ts';
import { RateLimit } from './rate-limit.ts';
import { ReceiverSlot } from './receiver-slot.ts';
import type { Receiver } from './receiver.ts';
import type { SessionContext, SessionInit } from './session-context.ts';

/** Registry of a session. The session may call `onSettled` and `onClosed` more than once. */
export interface SessionOwner extends SessionContext {
  /** Called when a receiver is attached. */
  onAttached(session: Session, exchange: object): void;
  /** Called when no frame is left to send or to deliver. */
  onSettled(session: Session): void;
  /** Called once, when the session has ended. */
  onEnded(session: Session, reason: CloseReason): void;
  onClosed(session: Session): void;
}

/**
 * One session of one client, which drives the state machine, the receivers and the handlers. `send` and `close` change
 * the state machine and request a flush. A flush or an event of the client writes frames and calls handlers, so that
 * no handler runs inside another one.
 */
export class Session implements Flushable, HandlerOwner {
  /** State at the time of opening, under which counters are increased and later decreased. */
  readonly init: SessionInit;
  readonly memory: SessionInit['memory'];
  readonly #owner: SessionOwner;
  readonly #machine: SessionStateMachine;
  readonly #handlers: HandlerRunner;
  readonly #slot: ReceiverSlot;
  readonly #writer: FrameWriter;
  #isFlushRequested = false;
  #isFlushPostponed = false;
  #isEndHandled = false;
  /** Time at which the session has reached `maxSessionAge`. */
  readonly #expiresAt: number;

  constructor(
    owner: SessionOwner,
    init: SessionInit,
    createHandlers: (session: Session) => ConnectionHandlers,
  ) {
    this.#owner = owner;
    this.init = init;
    this.memory = init.memory;
    const maxDetachedMs = init.key === undefined ? 0 : owner.settings.disconnectDelay;
    this.#machine = new SessionStateMachine(owner.settings, maxDetachedMs, owner.clock());
    this.#slot = new ReceiverSlot(owner.stats);
    const requestFlush = (): void => this.#requestFlush();
    this.#writer = new FrameWriter(owner, this.#machine, this.#slot, this, requestFlush);
    this.#expiresAt = owner.clock() + owner.chooseMaxAge();
    const rateLimit = new RateLimit(owner.settings.maxMessagesPerSecond);
    this.#handlers = new HandlerRunner(createHandlers(this), this, rateLimit);
  }

  get transport(): TransportName {
    return this.init.transport;
  }

  get info(): ConnectionInfo {
    return this.init.info;
  }

  get user(): unknown {
    return this.init.user;
  }

  get context(): SessionContext {
    return this.#owner;
  }

  /** True while the session is open, once `onOpen` has accepted it. */
  get isAccepted(): boolean {
    return this.#machine.isOpen && this.#handlers.isAccepted;
  }

  /** True while the client may regard the session as open: it is open, or the close frame has not arrived yet. */
  get seemsOpen(): boolean {
    return this.#machine.seemsOpen;
  }

  get closeReason(): CloseReason | undefined {
    return this.#machine.closeReason;
  }

  /** True if messages were still queued when the session ended. */
  get hasLostMessages(): boolean {
    return this.#machine.hasLostMessages;
  }

  /** Bytes buffered for the client, in the session and in its receiver. */
  get bufferedBytes(): number {
    return this.#writer.bufferedBytes;
  }

  get hasLongQueue(): boolean {
    return isLongQueue(this.#machine.queuedBytes);
  }

  get queue(): readonly Message[] {
    return this.#machine.queue;
  }

  /** Cause to delay the client's input, or undefined. */
  get inputDelay(): InputDelay | undefined {
    return this.closeReason === undefined ? this.#handlers.input.delay : undefined;
  }

  /** Resolves to true once `inputDelay` is undefined, or to false at once while another call waits. */
  inputAllowed(): Promise<boolean> {
    return this.#handlers.input.allowed();
  }

  /** Receiver that is attached, or undefined between two requests. */
  get receiver(): Receiver | undefined {
    return this.#slot.attached;
  }

  /** Attaches the receiver of an exchange. Returns false if it is refused and ended with a close frame. */
  attach(receiver: Receiver, exchange: object = receiver.source): boolean {
    const now = this.#owner.clock();
    if (!this.#machine.attach(now, receiver.renewable)) {
      receiver.write(OCCUPIED_FRAME);
      receiver.end();
      return false;
    }
    this.#slot.attach(receiver);
    this.#owner.onAttached(this, exchange);
    this.#flushOrPostpone(now);
    return true;
  }

  /**
   * Passes messages from the client to the handlers.
   * @param _from receiver or request that received the messages
   * @param bytes length of the body or WebSocket message in bytes
   * @returns false if the session has ended and the client should know
   */
  receive(_from: object, messages: readonly (string | Uint8Array)[], bytes: number): boolean {
    if (!this.#machine.isOpen) return this.seemsOpen;
    const { settings, stats, clock } = this.#owner;
    if (messages.length > settings.maxMessagesPerBody) {
      this.close(CLOSE_REASONS.tooManyMessages);
      return true;
    }
    const now = clock();
    stats.received(messages.length, bytes, now);
    this.#machine.onInput(now);
    this.#handlers.input.push(messages, now);
    return true;
  }

  /** Counts WebSocket frames that carry no message, such as pings, against the rate limit. */
  receiveFrames(count: number): void {
    if (this.#machine.isOpen) this.#handlers.input.charge(count, this.#owner.clock());
  }

  /** Delays input until a promise resolves, which must not reject. */
  holdInput(until: Promise<unknown>): void {
    this.#handlers.input.hold(until);
  }

  onDrain(): void {
    this.#flushOrPostpone(this.#owner.clock());
  }

  /** Called before the last write to a receiver, as to a WebSocket whose client has closed it. */
  onClosing(): void {
    this.#writer.write(this.#owner.clock());
  }

  /** Called when an ended receiver has sent everything that was written to it. */
  onDelivered(receiver: Receiver): void {
    if (!this.#slot.delivered(receiver)) return;
    const now = this.#owner.clock();
    this.#machine.delivered(now);
    this.#flushOrPostpone(now);
  }

  /** Called when the client reads too slowly: see `writeTimeout` and `sendTimeLimit`. */
  onWriteTimeout(receiver: Receiver): void {
    this.onClosed(receiver, CLOSE_REASONS.writeTimeout);
    receiver.abort();
  }

  /** Called when a receiver is gone. If it was detached, its last frame is lost, and the next one gets a close frame. */
  onClosed(receiver: Receiver, reason: CloseReason = CLOSE_REASONS.interrupted): void {
    const now = this.#owner.clock();
    if (this.#slot.remove(receiver)) this.#machine.interrupt(now, reason);
    else this.#machine.fail(now, reason);
    this.#flush(now);
  }

  /** Ends the HTTP response that waits for frames, so that the client sends its next request. */
  renewReceiver(): void {
    this.#writer.renewReceiver(this.#owner.clock());
  }

  /** Queues a message. Returns false if the sender should wait for `onDrain`, or the session is not open. */
  send(message: Message): boolean {
    if (!this.#machine.isOpen) return false;
    this.#requestFlush();
    return this.#writer.send(message, this.#isFlushPostponed);
  }

  /** Resolves to true once the client keeps up, or to false if the session ends before that. */
  whenDrained(): Promise<boolean> {
    return this.#writer.whenDrained();
  }

  watchClose(watcher: () => void): () => void {
    return this.#handlers.watchClose(watcher);
  }

  /** Sets the function that is called after each call of a handler. */
  watchHandlers(watcher: HandlerWatcher): void {
    this.#handlers.watcher = watcher;
  }

  close(reason: CloseReason): void {
    this.#machine.close(this.#owner.clock(), reason);
    this.#requestFlush();
  }

  abort(reason: CloseReason): void {
    this.#machine.abort(this.#owner.clock(), reason);
    this.flush();
  }

  /** @param lost time that the process has lost since the last call, in milliseconds */
  tick(now: number, lost: number): void {
    if (lost > 0) {
      this.#machine.postpone(now, lost);
      this.#handlers.input.extendBurst(lost, now);
    }
    if (now >= this.#expiresAt) this.close(CLOSE_REASONS.sessionExpired);
    if (now < this.#machine.deadline || this.#slot.isFlushing) return;
    // A client whose input is delayed cannot show that it is connected.
    const hasInput = this.#slot.hasInput() || this.#handlers.input.isAwaited;
    this.#machine.tick(now, hasInput);
    this.#flush(now);
  }

  postpone(): void {
    this.#isFlushPostponed = true;
  }

  flush(): void {
    this.#isFlushRequested = false;
    this.#isFlushPostponed = false;
    this.#flush(this.#owner.clock());
  }

  #requestFlush(): void {
    if (this.#isFlushRequested) return;
    this.#isFlushRequested = true;
    this.#owner.flushQueue.add(this);
  }

  #flushOrPostpone(now: number): void {
    if (this.hasLongQueue) this.#requestFlush();
    else this.#flush(now);
  }

  #flush(now: number): void {
    this.#writer.write(now);
    if (this.#machine.isOpen) this.#handlers.open();
    if (this.closeReason !== undefined) this.#handleEnd(this.closeReason);
    else if (this.#writer.checkDrain()) this.#handlers.drain();
  }

  #handleEnd(reason: CloseReason): void {
    if (!this.#isEndHandled) {
      this.#isEndHandled = true;
      this.#owner.onEnded(this, reason);
      this.#handlers.close();
    }
    this.#writer.onEnd();
    if (this.#machine.state === 'closed') {
      this.#writer.onClosed();
      this.#owner.onClosed(this);
    }
    if (this.#machine.isSettled && !this.#slot.isFlushing) this.#owner.onSettled(this);
  }
}
