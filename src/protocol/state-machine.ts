/**
 * One SockJS session without a socket, a timer or a clock. Every input carries the time, and `nextFrame` returns the
 * frames to write. transitions.ts defines the states, and docs/session-states.md documents them.
 *
 * A disconnected client is detected on every transport. Over HTTP its next request is missing: a poll ends with each
 * heartbeat, and a stream with its next frame after `streamRenewalDelay` without input. A WebSocket is pinged.
 */
import { CLOSE_REASONS, type CloseReason } from '../base/close-reasons.ts';
import { type Frame, HEARTBEAT_FRAME, closeFrame, messagesFrame, openFrame } from './frame.ts';
import type { Message } from './message.ts';
import { type SessionInput, type SessionState, TRANSITIONS } from './transitions.ts';

/** Settings that the state machine reads. Times in milliseconds. */
export interface SessionTimings {
  /** Idle time after which a receiver gets `h`. A WebSocket gets `h` at this interval, idle or not. */
  readonly heartbeatDelay: number;
  /** Time a WebSocket client may be silent after a heartbeat. */
  readonly pingTimeout: number;
  /** Time limit for the first receiver to attach, and for the client to fetch the close frame. */
  readonly disconnectDelay: number;
  /** Time without input from the client after which a stream is renewed. */
  readonly streamRenewalDelay: number;
}

/** Size up to which messages are joined in one frame. The JSON of more might not fit into a string. */
const MAX_FRAME_BYTES = 16 * 1024 * 1024;

export class SessionStateMachine {
  /** True if messages were still queued when the session ended. */
  hasLostMessages = false;
  readonly #timings: SessionTimings;
  readonly #maxDetachedMs: number;
  #state: SessionState = 'new';
  #isRenewable = false;
  #heartbeatDue = false;
  #closeFrameSent = false;
  #closeFrameDelivered = false;
  #clientGone = false;
  #queue: Message[] | undefined;
  #queuedBytes = 0;
  #deadline: number;
  #closeReason: CloseReason | undefined;
  #heartbeatAt = 0;
  /** Time by which input must follow the oldest heartbeat without any. */
  #inputDeadline = Infinity;
  #lastInputAt: number;

  /**
   * @param maxDetachedMs milliseconds that an open session may be without a receiver. With 0 it closes at once
   * @param now time on the caller's clock, in milliseconds
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

  /** True while messages are accepted in both directions. */
  get isOpen(): boolean {
    return this.#state === 'open' || this.#state === 'detached';
  }

  /** True while the client may regard the session as open: it is open, or the close frame has not arrived yet. */
  get seemsOpen(): boolean {
    if (this.isOpen) return true;
    return (this.#state === 'closing' || this.#state === 'lingering') && !this.#clientGone;
  }

  /** True once no frame is left to send: the close frame is sent, or the client is gone. */
  get isSettled(): boolean {
    if (this.#state === 'closed') return true;
    return this.#state === 'lingering' && (this.#closeFrameSent || this.#clientGone);
  }

  /** Set as soon as the session is closing, and never changed. */
  get closeReason(): CloseReason | undefined {
    return this.#closeReason;
  }

  /** Time of the next `tick` that has an effect. */
  get deadline(): number {
    return this.#deadline;
  }

  get queue(): readonly Message[] {
    return this.#queue ?? [];
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /**
   * Attaches a receiver.
   * @param isRenewable true on HTTP, where one receiver follows another
   * @returns false if the receiver is refused: another one is attached, or the session is closed
   */
  attach(now: number, isRenewable: boolean): boolean {
    if (TRANSITIONS[this.#state].attach === undefined) return false;
    this.#isRenewable = isRenewable;
    this.#lastInputAt = now;
    this.#closeFrameSent = false;
    this.#inputDeadline = Infinity;
    this.#apply('attach', now);
    this.#scheduleHeartbeat(now);
    return true;
  }

  /** Detaches the receiver, which the server has ended. The next one may attach. */
  detach(now: number): void {
    this.#heartbeatDue = false;
    this.#apply('detach', now);
  }

  /** Restarts the time limit, when a response is delivered late. Polls after the first close frame do not. */
  delivered(now: number): void {
    if (this.#state === 'detached') this.#deadline = now + this.#maxDetachedMs;
    if (this.#state !== 'lingering' || this.#closeFrameDelivered) return;
    this.#deadline = now + this.#timings.disconnectDelay;
    this.#closeFrameDelivered = this.#closeFrameSent;
  }

  /** Closes the session, since its receiver is gone. */
  interrupt(now: number, reason: CloseReason): void {
    this.#apply('interrupt', now, reason);
  }

  /** Closes the session, since a frame was lost after its receiver was detached. */
  fail(now: number, reason: CloseReason): void {
    this.#apply('fail', now, reason);
  }

  /** Closes the session. Queued messages are delivered before the close frame. */
  close(now: number, reason: CloseReason): void {
    this.#apply('close', now, reason);
  }

  /** Closes the session at once, without a close frame. */
  abort(now: number, reason: CloseReason): void {
    this.#apply('abort', now, reason);
  }

  /** @param hasInput whether bytes have arrived over the WebSocket since the last call */
  tick(now: number, hasInput: boolean): void {
    if (now < this.#deadline) return;
    if (this.#state === 'open') this.#checkHeartbeat(now, hasInput);
    else this.#apply('deadline', now);
  }

  /**
   * Postpones the deadlines of the client, since the process could not read its input. The heartbeat stays due.
   * @param lost in milliseconds
   */
  postpone(now: number, lost: number): void {
    if (this.#state === 'open') {
      if (this.#inputDeadline === Infinity) return;
      this.#inputDeadline = Math.min(this.#inputDeadline + lost, now + this.#timings.pingTimeout);
      this.#deadline = Math.min(this.#heartbeatAt, this.#inputDeadline);
    } else {
      const limit =
        this.#state === 'detached' ? this.#maxDetachedMs : this.#timings.disconnectDelay;
      this.#deadline = Math.min(this.#deadline + lost, now + limit);
    }
  }

  /** Called when the client has sent something. */
  onInput(now: number): void {
    this.#lastInputAt = now;
  }

  /** Returns whether the stream should end, so that the client's next request shows that it is connected. */
  isStale(now: number): boolean {
    return this.#isRenewable && now - this.#lastInputAt >= this.#timings.streamRenewalDelay;
  }

  /** Queues a message. Returns false if the session is not open, and the message is dropped. */
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

  /** Returns the next frame to write, or undefined. Queued messages go into one frame, up to 16 MiB. */
  nextFrame(now: number): Frame | undefined {
    if (this.#state === 'connecting') {
      this.#apply('opened', now);
      this.#scheduleHeartbeat(now);
      return openFrame();
    }
    if (this.#state !== 'open' && this.#state !== 'closing') return undefined;
    const messages = this.#takeMessages();
    if (messages !== undefined) {
      if (this.#isRenewable) {
        this.#heartbeatDue = false;
        this.#scheduleHeartbeat(now);
      }
      return messagesFrame(messages);
    }
    if (this.#closeReason !== undefined) return this.#nextCloseFrame(this.#closeReason);
    if (!this.#heartbeatDue) return undefined;
    this.#heartbeatDue = false;
    if (!this.#isRenewable) this.#awaitInput(now);
    return HEARTBEAT_FRAME;
  }

  /** Takes the queued messages of the next frame: all that fit, and at least one. */
  #takeMessages(): Message[] | undefined {
    const queue = this.#queue;
    if (queue === undefined) return undefined;
    if (this.#queuedBytes <= MAX_FRAME_BYTES || queue.length === 1) {
      this.#dropQueue();
      return queue;
    }
    let count = 0;
    let bytes = 0;
    for (const { size } of queue) {
      if (count > 0 && bytes + size > MAX_FRAME_BYTES) break;
      count += 1;
      bytes += size;
    }
    this.#queuedBytes -= bytes;
    return queue.splice(0, count);
  }

  /** Returns the close frame, once for each receiver. */
  #nextCloseFrame({ code, reason, json }: CloseReason): Frame | undefined {
    if (this.#closeFrameSent) return undefined;
    this.#closeFrameSent = true;
    return closeFrame(code, reason, json);
  }

  #apply(input: SessionInput, now: number, given?: CloseReason): void {
    const transition = TRANSITIONS[this.#state][input];
    if (transition === undefined) return;
    const { to, reason, discards, clientGone } = transition;
    this.#state = to;
    if (to === 'detached') this.#deadline = now + this.#maxDetachedMs;
    if (discards && this.#queue !== undefined) this.hasLostMessages = true;
    if (discards) this.#dropQueue();
    if (clientGone) this.#clientGone = true;
    if (reason !== undefined) {
      this.#closeReason = reason === 'given' ? given : CLOSE_REASONS[reason];
      this.#deadline = now + this.#timings.disconnectDelay;
    }
    // A time limit of 0 passes at once.
    const isLimited = to === 'detached' || to === 'lingering';
    if (isLimited && this.#maxDetachedMs === 0) this.#apply('deadline', now);
  }

  #checkHeartbeat(now: number, hasInput: boolean): void {
    if (hasInput) this.#inputDeadline = Infinity;
    if (now >= this.#inputDeadline) {
      this.interrupt(now, CLOSE_REASONS.timeout);
    } else if (now >= this.#heartbeatAt) {
      this.#heartbeatDue = true;
      this.#scheduleHeartbeat(now);
    } else {
      this.#deadline = Math.min(this.#heartbeatAt, this.#inputDeadline);
    }
  }

  #awaitInput(now: number): void {
    this.#inputDeadline = Math.min(this.#inputDeadline, now + this.#timings.pingTimeout);
    this.#scheduleHeartbeat(now);
  }

  #scheduleHeartbeat(now: number): void {
    if (this.#state !== 'open') return;
    this.#heartbeatAt = now + this.#timings.heartbeatDelay;
    this.#deadline = Math.min(this.#heartbeatAt, this.#inputDeadline);
  }

  #dropQueue(): void {
    this.#queue = undefined;
    this.#queuedBytes = 0;
  }
}
