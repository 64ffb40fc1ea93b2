/**
 * The pump: joins a pure session to whatever receives its frames, and to the application. Everything
 * that an application does (`send`, `close`) only changes the session and asks to be flushed; frames
 * are written, and handlers are called, from `flush` or from the event of a client. So a handler never
 * runs inside another one, and `close()` in the middle of `onMessage` finds nothing half changed.
 */
import type { ConnectionInfo } from '../base/connection-info.ts';
import { OCCUPIED_FRAME } from '../protocol/frame.ts';
import { CLOSE_REASONS, type CloseReason } from '../base/close-reasons.ts';
import type { Message } from '../protocol/message.ts';
import { SessionStateMachine } from '../protocol/state-machine.ts';
import type { SockJSLogger } from '../base/logging.ts';
import type { TransportName } from '../base/transport-name.ts';
import { InboundGate } from './inbound-gate.ts';
import { Backpressure, type SlowConsumer, limitOf, policyFor } from './backpressure.ts';
import { type ConnectionHandlers, HandlerRunner, type HandlerOwner } from './handler-runner.ts';
import { ReceiverSlot } from './receiver-slot.ts';
import type { SessionInit, Receiver, SessionContext } from './receiver.ts';
import type { Flushable } from './flush-queue.ts';

export class Session implements Flushable, HandlerOwner, SlowConsumer {
  readonly transport: TransportName;
  readonly info: ConnectionInfo;
  readonly user: unknown;
  readonly key: string | undefined;
  readonly #context: SessionContext<Session>;
  readonly #core: SessionStateMachine;
  readonly #lifecycle: HandlerRunner;
  readonly #outlet: ReceiverSlot;
  #flushing = false;
  /** It was too quick, when last heard. */
  #isInDebt = false;
  /** There once somebody had to wait before sending. */
  #gate: InboundGate | undefined;
  /** There while a sender has been told to wait, and has to be told to go on. */
  #lag: Backpressure | undefined;
  #ended = false;
  #forgotten = false;

  constructor(
    context: SessionContext<Session>,
    { transport, info, user, key }: SessionInit,
    createApplication: (session: Session) => ConnectionHandlers,
  ) {
    this.#context = context;
    [this.transport, this.info, this.user, this.key] = [transport, info, user, key];
    const isRenewable = key !== undefined;
    this.#core = new SessionStateMachine(context.settings, isRenewable, context.clock());
    this.#outlet = new ReceiverSlot(this.#core, context.stats, isRenewable);
    this.#lifecycle = new HandlerRunner(createApplication(this), this, context.logger);
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
    return this.#core.queuedBytes + this.#outlet.bufferedBytes;
  }

  get logger(): SockJSLogger {
    return this.#context.logger;
  }

  get deadline(): number {
    return this.#core.deadline;
  }

  /** Whether nothing more can be done for the client: it was told the end, or there is no one to tell. */
  get isSettled(): boolean {
    return this.#forgotten || (this.#core.endSaid && !this.#outlet.isAttached);
  }

  /** For all that the client knows: an end may be on its way. */
  get seemsOpen(): boolean {
    return this.isOpen || (this.#core.state === 'closing' && !this.#core.hasLeft);
  }

  /** Whether an asynchronous `onOpen` is under way. */
  get isOpening(): boolean {
    return this.#lifecycle.opening !== undefined;
  }

  /** Whether the client should send nothing now: `onOpen` is under way, or it was too quick. */
  get isHeldBack(): boolean {
    return this.isOpening || (this.#isInDebt && this.#core.debt(this.#context.clock()) > 0);
  }

  /** Waits until the client may send again; false if somebody waits already. See `Gate`. */
  ready(): Promise<boolean> {
    this.#gate ??= new InboundGate();
    return this.#gate.pass(this.#lifecycle.opening, () =>
      this.isClosed ? 0 : this.#core.debt(this.#context.clock()),
    );
  }

  // From the client

  /** @returns false if another receiver is attached: this one has been told so, and ended */
  attach(receiver: Receiver): boolean {
    const now = this.#context.clock();
    if (!this.#core.attach(now)) {
      receiver.write(OCCUPIED_FRAME);
      receiver.end();
      return false;
    }
    this.#outlet.attach(receiver);
    this.#flush(now);
    return true;
  }

  /**
   * @param bytes what they took on their way
   * @returns whether the client may go on: they reach the application, unless an end is on its way
   */
  receive(messages: readonly (string | Uint8Array)[], bytes: number): boolean {
    if (!this.isOpen) return this.seemsOpen;
    const { settings, stats, clock } = this.#context;
    if (messages.length > settings.maxMessagesPerBody) {
      this.end(CLOSE_REASONS.tooManyMessages);
      return true;
    }
    const now = clock();
    stats.received(messages.length, bytes, now);
    const wasHeldBack = this.#isInDebt && this.#core.debt(now) > 0;
    this.#core.receive(messages.length, now);
    for (const message of messages) this.#lifecycle.deliver(message);
    this.#isInDebt = this.#core.debt(now) > 0;
    if (this.#isInDebt && settings.rateLimitPolicy === 'close') this.end(CLOSE_REASONS.rateLimited);
    else if (this.#isInDebt && !wasHeldBack) stats.throttled();
    return true;
  }

  /** The receiver can be written to again. */
  drained(): void {
    this.#flush(this.#context.clock());
  }

  /** All that a receiver was given has left, after it had been let go. */
  sent(receiver: Receiver): void {
    if (!this.#outlet.hasLeft(receiver)) return;
    const now = this.#context.clock();
    this.#core.awaitReceiver(now);
    this.#flush(now);
  }

  /** A receiver has taken nothing of what was written for `writeTimeout`. */
  stalled(receiver: Receiver): void {
    this.interrupted(receiver, CLOSE_REASONS.writeTimeout);
    receiver.abort();
  }

  /**
   * A receiver broke off before all that it was given had left, or its WebSocket closed with `end`. If it
   * had been let go already, its last frame is lost all the same, and the next receiver is told.
   */
  interrupted(receiver: Receiver, end?: CloseReason): void {
    const now = this.#context.clock();
    if (this.#outlet.detach(receiver)) this.#core.interrupt(now, end);
    else this.#core.fail(now, end);
    this.#flush(now);
  }

  // From the application

  /** @returns whether the client keeps up: false asks the sender to wait */
  send(message: Message): boolean {
    if (!this.#core.send(message)) return false;
    this.#requestFlush();
    if (this.#lag === undefined && this.#keepsUp) return true;
    this.#lagsBehind(message);
    return false;
  }

  /** Resolves once the client keeps up, to true; or to false if the session ends before that. */
  whenDrained(): Promise<boolean> {
    return this.#lag?.wait() ?? Promise.resolve(!this.isClosed);
  }

  watchEnd(watcher: () => void): () => void {
    return this.#lifecycle.watchEnd(watcher);
  }

  end(end: CloseReason): void {
    this.#core.close(end, this.#context.clock());
    this.#requestFlush();
  }

  tick(now: number): void {
    if (this.#outlet.isLeaving) return this.#outlet.expectProgress();
    // A client that nobody reads cannot show that it is there.
    const heard = this.#outlet.hasHeard() || this.#gate?.isAwaited === true;
    this.#core.tick(now, heard);
    this.#flush(now);
  }

  /** The end, at once, whatever was still to be said. */
  terminate(end: CloseReason): void {
    this.#core.terminate(end, this.#context.clock());
    this.flush();
  }

  flush(): void {
    this.#flushing = false;
    this.#flush(this.#context.clock());
  }

  #requestFlush(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    this.#context.turn.add(this);
  }

  #flush(now: number): void {
    this.#outlet.write(now);
    if (this.isOpen) this.#lifecycle.open();
    const { end } = this.#core;
    if (end !== undefined) this.#over(end);
    else if (this.#lag !== undefined) this.#catchUp(this.#lag);
  }

  #catchUp(lag: Backpressure): void {
    if (this.#keepsUp) {
      this.#lag = undefined;
      lag.end(true);
      this.#lifecycle.drained();
    } else {
      lag.update(this.bufferedBytes);
    }
  }

  get #keepsUp(): boolean {
    const { highWaterMark } = this.#context.settings;
    return this.#core.queuedBytes < highWaterMark && this.#outlet.writable;
  }

  #lagsBehind(newest: Message): void {
    const { settings, stats, budget, logger } = this.#context;
    this.#lag ??= new Backpressure(stats, budget);
    const waiting = this.bufferedBytes;
    this.#lag.update(waiting);
    const limit = limitOf(settings, budget);
    // One message may exceed the limit on its own: what counts is that nothing piles up behind it.
    if (waiting <= limit || (newest.size > limit && waiting - newest.size <= limit)) return;
    if (policyFor(this, settings, logger) === 'close') return this.#giveUp(limit);
    stats.dropped(this.#core.dropOldest(limit - (waiting - this.#core.queuedBytes)));
    this.#lag.update(this.bufferedBytes);
  }

  #giveUp(limit: number): void {
    const { clock, logger } = this.#context;
    this.#core.interrupt(clock(), CLOSE_REASONS.slowConsumer);
    logger.info(`Closed a client with 1013: over ${limit} bytes waited; see maxBufferedBytes.`);
    this.#outlet.cutOff();
  }

  #over(end: CloseReason): void {
    if (!this.#ended) {
      this.#ended = true;
      this.#context.stats.sessionEnded(this.transport, this.info.ip, end);
      this.#gate?.open();
      this.#lag?.end(false);
      this.#lag = undefined;
    }
    this.#lifecycle.close(end);
    if (this.#core.state === 'closed' && !this.#forgotten) {
      this.#forgotten = true;
      this.#outlet.cutOff();
      this.#context.forget(this);
    }
    if (this.isSettled) this.#context.settled(this);
  }
}
