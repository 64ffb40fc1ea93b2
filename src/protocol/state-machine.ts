/**
 * The life of one SockJS session, without a socket, a timer or a clock: every input carries the time,
 * and what the session has to say is pulled out of it with `nextFrame`.
 *
 * | state      | nextFrame says            | close()  | interrupt()  | deadline passes                        |
 * | ---------- | ------------------------- | -------- | ------------ | -------------------------------------- |
 * | connecting | `o`, and is open          | closing  | closed       | closed                                 |
 * | open       | messages, due heartbeat   | closing  | closing 1002 | with receiver: `h`, or closed if it    |
 * |            |                           |          |              | did not answer; without: closing       |
 * | closing    | messages, then the close  | –        | –            | closed                                 |
 * | closed     | nothing                   | –        | –            | –                                      |
 *
 * `closing` is where a session that is over waits for its close frame to be fetched, for as long as
 * `disconnectDelay`, so that a late poll learns how it ended. Nobody polls a WebSocket: such a session
 * is not `resumable`, and is closed as soon as it has no receiver.
 *
 * A client that is gone without a word is noticed on every transport. A poll ends with each heartbeat, and
 * a stream that has heard nothing from its client for `streamRenewalDelay` is renewed; then the next request
 * has to come. On a WebSocket every heartbeat is a ping too, and has to be answered within `pingTimeout`.
 */
import { CLOSE_REASONS, type CloseReason } from '../base/close-reasons.ts';
import { type Frame, HEARTBEAT_FRAME, OPEN, closeFrame, messagesFrame } from './frame.ts';
import type { Message } from './message.ts';

export type SessionState = 'connecting' | 'open' | 'closing' | 'closed';

/** Part of the settings of a router; delays in milliseconds. */
export interface SessionTimings {
  /** A receiver that has been told nothing for this long gets `h`; a WebSocket gets it this often. */
  readonly heartbeatDelay: number;
  /** How long the client of a WebSocket may be silent after a heartbeat. */
  readonly pingTimeout: number;
  /** How long a session lives without a receiver, and how long its close frame can be fetched. */
  readonly disconnectDelay: number;
  /** A stream whose client has been silent for so long has to be asked for anew. */
  readonly streamRenewalDelay: number;
  /** What a client may send on the average; for a second it may send as much at once. */
  readonly maxMessagesPerSecond: number;
}

const SECOND = 1000;

export class SessionStateMachine {
  readonly #rules: SessionTimings;
  readonly #resumable: boolean;
  #state: SessionState = 'connecting';
  #receiving = false;
  #heartbeatDue = false;
  #endSaid = false;
  #hasLeft = false;
  #queue: Message[] | undefined;
  #queuedBytes = 0;
  #deadline: number;
  #end: CloseReason | undefined;
  #heartbeatAt = 0;
  /** When the oldest heartbeat of a WebSocket after which nothing was heard has to be answered. */
  #answerBy = Infinity;
  #heardAt: number;
  /** Up to when the client has used what it may send. */
  #usedUntil = -Infinity;

  /** @param resumable whether another receiver may follow the first: true on HTTP */
  constructor(rules: SessionTimings, resumable: boolean, now: number) {
    this.#rules = rules;
    this.#resumable = resumable;
    this.#deadline = now + rules.disconnectDelay;
    this.#heardAt = now;
  }

  get state(): SessionState {
    return this.#state;
  }

  /** When `tick` has something to do, in the milliseconds of the caller's clock. */
  get deadline(): number {
    return this.#deadline;
  }

  /** Bytes that wait here for a receiver. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Whether the end was said to a receiver, or came from the client's having left. */
  get endSaid(): boolean {
    return this.#endSaid;
  }

  /** The session ended because its client was gone: it cannot be unaware of that. */
  get hasLeft(): boolean {
    return this.#hasLeft;
  }

  /** Set as soon as the session is over for the application. */
  get end(): CloseReason | undefined {
    return this.#end;
  }

  /**
   * A receiver is there to take frames.
   * @returns false if another one is attached already: PROTOCOL "The session's life", 2
   */
  attach(now: number): boolean {
    if (this.#receiving) return false;
    this.#receiving = true;
    this.#heardAt = now;
    this.#endSaid = false; // every receiver is told
    this.#expectHeartbeat(now);
    return true;
  }

  /** The receiver was ended by the server: another one is awaited. */
  detach(now: number): void {
    this.#receiving = false;
    this.#heartbeatDue = false;
    if (this.#state === 'open') this.#deadline = now + this.#rules.disconnectDelay;
    else if (this.#state === 'closing' && !this.#resumable) this.#finish();
  }

  /** The last answer has reached the client only now: the next receiver is awaited from here on. */
  awaitReceiver(now: number): void {
    if (!this.#receiving) this.#deadline = now + this.#rules.disconnectDelay;
  }

  /** The receiver broke off, or a WebSocket closed: PROTOCOL "The session's life", 4. */
  interrupt(now: number, end: CloseReason = CLOSE_REASONS.interrupted): void {
    this.#receiving = false;
    this.fail(now, end);
    if (!this.#resumable) this.#finish();
  }

  /** Something that was said is lost: the session ends, and its receiver, if it has one, is told. */
  fail(now: number, end: CloseReason = CLOSE_REASONS.interrupted): void {
    this.#discard();
    if (this.#end === undefined && !this.#receiving) {
      this.#hasLeft = true;
      this.#endSaid = true; // Who has left need not be told.
    }
    this.close(end, now);
  }

  /** Messages came from the client. */
  receive(messages: number, now: number): void {
    this.#heardAt = now;
    const cost = (messages * SECOND) / this.#rules.maxMessagesPerSecond;
    this.#usedUntil = Math.max(this.#usedUntil, now - SECOND) + cost;
  }

  /** For how many milliseconds the client should be kept from sending more; 0 or less: not at all. */
  debt(now: number): number {
    return this.#usedUntil - now;
  }

  /** Whether a stream has heard nothing of its client for too long, and should end for the next to come. */
  isStale(now: number): boolean {
    return now - this.#heardAt >= this.#rules.streamRenewalDelay;
  }

  /** @returns whether the message will be delivered if the session lives */
  send(message: Message): boolean {
    if (this.#state !== 'open') return false;
    (this.#queue ??= []).push(message);
    this.#queuedBytes += message.size;
    return true;
  }

  /**
   * Takes back what has waited longest, until at most `bytes` wait; but never the newest.
   * @returns how many messages that were
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

  /** Ends the session from this side; what is queued goes out before the close frame. */
  close(end: CloseReason, now: number): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#deadline = now + this.#rules.disconnectDelay;
    // A session that never had a receiver has nobody to tell: its id is free again.
    this.#state = this.#state === 'connecting' && !this.#receiving ? 'closed' : 'closing';
  }

  /**
   * The time has come to `deadline`.
   * @param heard whether anything came over the WebSocket since the last time
   */
  tick(now: number, heard: boolean): void {
    if (now < this.#deadline) return;
    if (this.#state === 'open' && this.#receiving) {
      this.#beat(now, heard);
    } else if (this.#state === 'open') {
      this.fail(now, CLOSE_REASONS.timeout);
    } else {
      this.#end ??= CLOSE_REASONS.timeout;
      this.#finish();
    }
  }

  /** The end, whatever was still to be said. */
  terminate(end: CloseReason, now: number): void {
    this.close(end, now);
    this.#finish();
  }

  /** What to write next, if anything. All that is queued comes out as one frame. */
  nextFrame(now: number): Frame | undefined {
    if (!this.#receiving || this.#state === 'closed') return undefined;
    if (this.#state === 'connecting') {
      this.#state = 'open';
      this.#expectHeartbeat(now);
      return OPEN;
    }
    const messages = this.#queue;
    if (messages !== undefined) {
      this.#discard();
      if (this.#resumable) {
        this.#heartbeatDue = false;
        this.#expectHeartbeat(now);
      }
      return messagesFrame(messages);
    }
    if (this.#end !== undefined) {
      if (this.#endSaid) return undefined;
      this.#endSaid = true;
      return closeFrame(this.#end.code, this.#end.reason);
    }
    if (!this.#heartbeatDue) return undefined;
    this.#heartbeatDue = false;
    if (!this.#resumable) this.#expectAnswer(now);
    return HEARTBEAT_FRAME;
  }

  #beat(now: number, heard: boolean): void {
    if (heard) this.#answerBy = Infinity;
    if (now >= this.#answerBy) {
      this.interrupt(now, CLOSE_REASONS.timeout);
    } else if (now >= this.#heartbeatAt) {
      this.#heartbeatDue = true;
      this.#expectHeartbeat(now);
    } else {
      this.#deadline = Math.min(this.#heartbeatAt, this.#answerBy);
    }
  }

  #expectAnswer(now: number): void {
    this.#answerBy = Math.min(this.#answerBy, now + this.#rules.pingTimeout);
    this.#expectHeartbeat(now);
  }

  #expectHeartbeat(now: number): void {
    if (this.#state !== 'open') return;
    this.#heartbeatAt = now + this.#rules.heartbeatDelay;
    this.#deadline = Math.min(this.#heartbeatAt, this.#answerBy);
  }

  #finish(): void {
    this.#discard();
    this.#state = 'closed';
  }

  #discard(): void {
    this.#queue = undefined;
    this.#queuedBytes = 0;
  }
}
