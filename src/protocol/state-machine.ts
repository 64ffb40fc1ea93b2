/**
 * One SockJS session without a socket, a timer or a clock. Every input carries the time, and `nextFrame`
 * returns the frames to write. transitions.ts holds the states; docs/session-states.md shows them.
 *
 * A lost client is detected on every transport. Over HTTP it fails to send its next request: a poll ends with
 * each heartbeat, and a stream whose client has sent nothing for `streamRenewalDelay` ends with its next
 * frame. Over a WebSocket each heartbeat is a ping, and it sends nothing within `pingTimeout`.
 */
import { CLOSE_REASONS, type CloseReason } from '../base/close-reasons.ts';
import { type Frame, HEARTBEAT_FRAME, closeFrame, messagesFrame, openFrame } from './frame.ts';
import type { Message } from './message.ts';
import { type SessionInput, type SessionState, TRANSITIONS } from './transitions.ts';

/** Settings that the state machine reads. Delays in milliseconds. */
export interface SessionTimings {
  /** Idle time after which a receiver gets `h`. A WebSocket gets it at this interval, idle or not. */
  readonly heartbeatDelay: number;
  /** Time that a WebSocket client has to send anything after a heartbeat. */
  readonly pingTimeout: number;
  /** Limit for a first receiver to attach, and for the close frame to be fetched. */
  readonly disconnectDelay: number;
  /** Time without input from its client after which a stream is renewed. */
  readonly streamRenewalDelay: number;
  /** Rate limit for input. Bursts of up to one second's worth are allowed. */
  readonly maxMessagesPerSecond: number;
}

const SECOND_MS = 1000;

export class SessionStateMachine {
  readonly #timings: SessionTimings;
  readonly #maxDetachedMs: number;
  #state: SessionState = 'new';
  #isRenewable = false;
  #heartbeatDue = false;
  #closeFrameSent = false;
  #clientGone = false;
  #queue: Message[] | undefined;
  #queuedBytes = 0;
  #deadline: number;
  #closeReason: CloseReason | undefined;
  #heartbeatAt = 0;
  /** Time limit for input after the oldest heartbeat since which there was none. */
  #answerBy = Infinity;
  #lastInputAt: number;
  /** Time at which the client's input so far is within its rate limit again. */
  #withinRateAt = -Infinity;

  /**
   * @param maxDetachedMs limit for an open session to be without a receiver. With 0 the session is over,
   * and closed, as soon as its receiver is gone
   */
  constructor(timings: SessionTimings, maxDetachedMs: number, now: number) {
    this.#timings = timings;
    this.#maxDetachedMs = maxDetachedMs;
    this.#deadline = now + timings.disconnectDelay;
    this.#lastInputAt = now;
  }

  get state(): SessionState {
    return this.#state;
  }

  /** Messages are accepted in both directions. */
  get isOpen(): boolean {
    return this.#state === 'open' || this.#state === 'detached';
  }

  /** The client may take the session for open: it is, or a close frame is still on its way to the client. */
  get seemsOpen(): boolean {
    if (this.isOpen) return true;
    return (this.#state === 'closing' || this.#state === 'lingering') && !this.#clientGone;
  }

  /** Nothing more can be done for the client: it has the close frame, or it has left. */
  get isSettled(): boolean {
    if (this.#state === 'closed') return true;
    return this.#state === 'lingering' && (this.#closeFrameSent || this.#clientGone);
  }

  /** Set as soon as an end is decided, and never changed. */
  get closeReason(): CloseReason | undefined {
    return this.#closeReason;
  }

  /** Time of the next `tick` that has an effect, on the caller's clock. */
  get deadline(): number {
    return this.#deadline;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /**
   * @param isRenewable true on HTTP, where one receiver follows another
   * @returns false if the receiver is refused: another one is attached, or the session is closed
   */
  attach(now: number, isRenewable: boolean): boolean {
    if (TRANSITIONS[this.#state].attach === undefined) return false;
    this.#isRenewable = isRenewable;
    this.#lastInputAt = now;
    this.#closeFrameSent = false;
    this.#answerBy = Infinity;
    this.#apply('attach', now);
    this.#scheduleHeartbeat(now);
    return true;
  }

  /** The server has ended the receiver, and the next one is awaited. */
  detach(now: number): void {
    this.#heartbeatDue = false;
    this.#apply('detach', now);
  }

  /** The response of a detached receiver has only now reached the client. Its time limit starts again. */
  delivered(now: number): void {
    if (this.#state === 'detached') this.#deadline = now + this.#maxDetachedMs;
    else if (this.#state === 'lingering') this.#deadline = now + this.#timings.disconnectDelay;
  }

  /** The receiver is gone. */
  interrupt(now: number, reason: CloseReason): void {
    this.#apply('interrupt', now, reason);
  }

  /** A frame is lost after its receiver was detached. */
  fail(now: number, reason: CloseReason): void {
    this.#apply('fail', now, reason);
  }

  /** Ends the session. Queued messages are delivered before the close frame. */
  close(now: number, reason: CloseReason): void {
    this.#apply('close', now, reason);
  }

  /** Ends the session at once, without a close frame. */
  abort(now: number, reason: CloseReason): void {
    this.#apply('abort', now, reason);
  }

  /**
   * To be called when `deadline` has passed.
   * @param hasInput whether bytes have come over the WebSocket since the last call
   */
  tick(now: number, hasInput: boolean): void {
    if (now < this.#deadline) return;
    if (this.#state === 'open') this.#checkHeartbeat(now, hasInput);
    else this.#apply('deadline', now);
  }

  /** Counts messages from the client. */
  receive(messages: number, now: number): void {
    this.#lastInputAt = now;
    const cost = (messages * SECOND_MS) / this.#timings.maxMessagesPerSecond;
    this.#withinRateAt = Math.max(this.#withinRateAt, now - SECOND_MS) + cost;
  }

  /** The latest input exceeded the rate limit. */
  get isOverRate(): boolean {
    return this.#withinRateAt > this.#lastInputAt;
  }

  /** Milliseconds until the client is within its rate limit. 0 or less if it is. */
  rateLimitDelay(now: number): number {
    return this.#withinRateAt - now;
  }

  /** The stream should end, so that the client's next request shows that it is still there. */
  isStale(now: number): boolean {
    return this.#isRenewable && now - this.#lastInputAt >= this.#timings.streamRenewalDelay;
  }

  /** @returns false if the session is not open, and the message is dropped */
  send(message: Message): boolean {
    if (!this.isOpen) return false;
    (this.#queue ??= []).push(message);
    this.#queuedBytes += message.size;
    return true;
  }

  /**
   * Drops the oldest queued messages until at most `bytes` are queued. The newest one stays.
   * @returns number of dropped messages
   */
  dropOldest(bytes: number): number {
    const queue = this.#queue ?? [];
    let count = 0;
    for (const { size } of queue) {
      if (this.#queuedBytes <= bytes || count === queue.length - 1) break;
      this.#queuedBytes -= size;
      count += 1;
    }
    queue.splice(0, count);
    return count;
  }

  /** @returns the next frame to write. All queued messages go into one frame */
  nextFrame(now: number): Frame | undefined {
    if (this.#state === 'connecting') {
      this.#apply('opened', now);
      this.#scheduleHeartbeat(now);
      return openFrame();
    }
    if (this.#state !== 'open' && this.#state !== 'closing') return undefined;
    const messages = this.#queue;
    if (messages !== undefined) {
      this.#dropQueue();
      if (this.#isRenewable) {
        this.#heartbeatDue = false;
        this.#scheduleHeartbeat(now);
      }
      return messagesFrame(messages);
    }
    if (this.#closeReason !== undefined) return this.#nextCloseFrame(this.#closeReason);
    if (!this.#heartbeatDue) return undefined;
    this.#heartbeatDue = false;
    if (!this.#isRenewable) this.#awaitAnswer(now);
    return HEARTBEAT_FRAME;
  }

  /** Every receiver gets the close frame once. */
  #nextCloseFrame({ code, reason }: CloseReason): Frame | undefined {
    if (this.#closeFrameSent) return undefined;
    this.#closeFrameSent = true;
    return closeFrame(code, reason);
  }

  #apply(input: SessionInput, now: number, given?: CloseReason): void {
    const transition = TRANSITIONS[this.#state][input];
    if (transition === undefined) return;
    const { to, reason, discards, clientGone } = transition;
    this.#state = to;
    if (to === 'detached') this.#deadline = now + this.#maxDetachedMs;
    if (discards) this.#dropQueue();
    if (clientGone) this.#clientGone = true;
    if (reason !== undefined) {
      this.#closeReason = reason === 'given' ? given : CLOSE_REASONS[reason];
      this.#deadline = now + this.#timings.disconnectDelay;
    }
    // A limit of 0 passes at once.
    const isLimited = to === 'detached' || to === 'lingering';
    if (isLimited && this.#maxDetachedMs === 0) this.#apply('deadline', now);
  }

  #checkHeartbeat(now: number, hasInput: boolean): void {
    if (hasInput) this.#answerBy = Infinity;
    if (now >= this.#answerBy) {
      this.interrupt(now, CLOSE_REASONS.timeout);
    } else if (now >= this.#heartbeatAt) {
      this.#heartbeatDue = true;
      this.#scheduleHeartbeat(now);
    } else {
      this.#deadline = Math.min(this.#heartbeatAt, this.#answerBy);
    }
  }

  #awaitAnswer(now: number): void {
    this.#answerBy = Math.min(this.#answerBy, now + this.#timings.pingTimeout);
    this.#scheduleHeartbeat(now);
  }

  #scheduleHeartbeat(now: number): void {
    if (this.#state !== 'open') return;
    this.#heartbeatAt = now + this.#timings.heartbeatDelay;
    this.#deadline = Math.min(this.#heartbeatAt, this.#answerBy);
  }

  #dropQueue(): void {
    this.#queue = undefined;
    this.#queuedBytes = 0;
  }
}
