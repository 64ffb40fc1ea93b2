import type { CloseStatus } from '../../base/close-reasons.ts';
import type { Inbox } from './inbox.ts';

/** Options of `next`. */
export interface NextOptions {
  /** In milliseconds of real time, also while timers are fake. Default: the option `timeout` of the client. */
  readonly timeout?: number;
}

/** A client of a test: the side of the browser. */
export abstract class TestClient<Message = string> implements AsyncDisposable {
  readonly #inbox: Inbox<Message>;

  constructor(inbox: Inbox<Message>) {
    this.#inbox = inbox;
  }

  /** All messages so far, in order. */
  get received(): readonly Message[] {
    return this.#inbox.received;
  }

  /** Number of heartbeats so far. */
  get heartbeats(): number {
    return this.#inbox.heartbeats;
  }

  /** Resolves to the code and reason with which the connection has closed, as the client sees them. */
  get closed(): Promise<CloseStatus> {
    return this.#inbox.closed;
  }

  /**
   * Returns the next message that no call has returned yet.
   * @throws Error after the timeout, or if the connection closes first
   */
  next({ timeout }: NextOptions = {}): Promise<Message> {
    return this.#inbox.next(timeout);
  }

  abstract send(message: Message): Promise<void>;

  abstract close(code?: number, reason?: string): Promise<void>;

  /** Closes the client, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
