/**
 * The life of one SockJS session, without a socket, a timer or a clock: every input carries the time,
 * and what the session has to say is pulled out of it with `nextFrame`.
 *
 * | state      | nextFrame says            | close()  | interrupt()  | deadline passes                        |
 * | ---------- | ------------------------- | -------- | ------------ | -------------------------------------- |
 * | connecting | `o`, and is open          | closing  | closed       | closed                                 |
 * | open       | messages, due heartbeat   | closing  | closing 1002 | with receiver: `h`; without: closing   |
 * | closing    | messages, then the close  | –        | –            | closed                                 |
 * | closed     | nothing                   | –        | –            | –                                      |
 *
 * `closing` is where a session that is over waits for its close frame to be fetched, for as long as
 * `disconnectDelay`, so that a late poll learns how it ended. Nobody polls a WebSocket: such a session
 * is not `resumable`, and is closed as soon as it has no receiver.
 */
import { type Frame, HEARTBEAT, OPEN, closeFrame, messagesFrame } from './frame.ts';
import type { Message } from './message.ts';

export type SessionState = 'connecting' | 'open' | 'closing' | 'closed';

/** In milliseconds; part of the settings of a router. */
export interface SessionTiming {
  /** A receiver that has been told nothing for this long gets `h`. */
  readonly heartbeatDelay: number;
  /** How long a session lives without a receiver, and how long its close frame can be fetched. */
  readonly disconnectDelay: number;
}

/** How a session ended: the code and reason of its close frame. */
export interface SessionEnd {
  readonly code: number;
  readonly reason: string;
}

/** The receiver broke off: what was under way may be lost, so the session cannot go on. */
export const INTERRUPTED: SessionEnd = { code: 1002, reason: 'Connection interrupted' };
/** No receiver came back in time. 1006 is what a WebSocket reports when nobody said goodbye. */
export const VANISHED: SessionEnd = { code: 1006, reason: 'Client is gone' };

export class Session {
  readonly #timing: SessionTiming;
  readonly #resumable: boolean;
  #state: SessionState = 'connecting';
  #receiving = false;
  #heartbeatDue = false;
  #endSaid = false;
  #queue: Message[] | undefined;
  #queuedBytes = 0;
  #deadline: number;
  #end: SessionEnd | undefined;

  /** @param resumable whether another receiver may follow the first: true on HTTP */
  constructor(timing: SessionTiming, resumable: boolean, now: number) {
    this.#timing = timing;
    this.#resumable = resumable;
    this.#deadline = now + timing.disconnectDelay;
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

  /** Set as soon as the session is over for the application. */
  get end(): SessionEnd | undefined {
    return this.#end;
  }

  /**
   * A receiver is there to take frames.
   * @returns false if another one is attached already: PROTOCOL "The session's life", 2
   */
  attach(now: number): boolean {
    if (this.#receiving) return false;
    this.#receiving = true;
    this.#endSaid = false; // every receiver is told
    this.#expectHeartbeat(now);
    return true;
  }

  /** The receiver was ended by the server: another one is awaited. */
  detach(now: number): void {
    this.#receiving = false;
    this.#heartbeatDue = false;
    if (this.#state === 'open') this.#deadline = now + this.#timing.disconnectDelay;
    else if (this.#state === 'closing' && !this.#resumable) this.#finish();
  }

  /** The last answer has reached the client only now: the next receiver is awaited from here on. */
  awaitReceiver(now: number): void {
    if (!this.#receiving) this.#deadline = now + this.#timing.disconnectDelay;
  }

  /** The receiver broke off, or a WebSocket closed: PROTOCOL "The session's life", 4. */
  interrupt(now: number, end: SessionEnd = INTERRUPTED): void {
    this.#receiving = false;
    this.fail(now, end);
    if (!this.#resumable) this.#finish();
  }

  /** Something that was said is lost: the session ends, and its receiver, if it has one, is told. */
  fail(now: number, end: SessionEnd = INTERRUPTED): void {
    this.#discard();
    if (this.#end === undefined) this.#endSaid = !this.#receiving; // Who has left need not be told.
    this.close(end, now);
  }

  /** @returns whether the message will be delivered if the session lives */
  send(message: Message): boolean {
    if (this.#state !== 'open') return false;
    (this.#queue ??= []).push(message);
    this.#queuedBytes += message.size;
    return true;
  }

  /** Ends the session from this side; what is queued goes out before the close frame. */
  close(end: SessionEnd, now: number): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#deadline = now + this.#timing.disconnectDelay;
    // A session that never had a receiver has nobody to tell: its id is free again.
    this.#state = this.#state === 'connecting' && !this.#receiving ? 'closed' : 'closing';
  }

  /** The time has come to `deadline`. */
  tick(now: number): void {
    if (now < this.#deadline) return;
    if (this.#state === 'open' && this.#receiving) {
      this.#heartbeatDue = true;
      this.#expectHeartbeat(now);
    } else if (this.#state === 'open') {
      this.fail(now, VANISHED);
    } else {
      this.#end ??= VANISHED;
      this.#finish();
    }
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
      this.#heartbeatDue = false;
      this.#expectHeartbeat(now);
      return messagesFrame(messages);
    }
    if (this.#end !== undefined) {
      if (this.#endSaid) return undefined;
      this.#endSaid = true;
      return closeFrame(this.#end.code, this.#end.reason);
    }
    if (!this.#heartbeatDue) return undefined;
    this.#heartbeatDue = false;
    return HEARTBEAT;
  }

  #expectHeartbeat(now: number): void {
    if (this.#state === 'open') this.#deadline = now + this.#timing.heartbeatDelay;
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
