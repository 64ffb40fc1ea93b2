/**
 * The only code that calls the application: `onOpen` once, then `onMessage` in order, then `onClose`
 * once and last. What comes in while an asynchronous `onOpen` is under way waits here. Whatever a
 * handler throws, or rejects with, ends its own connection and nothing else.
 */
import { type SockJSLogger, describeError } from '../base/logging.ts';
import type { ConnectionInfo } from '../base/connection-info.ts';
import { MESSAGE_OVERHEAD_BYTES } from '../protocol/message.ts';
import { type CloseStatus, CLOSE_REASONS, type CloseReason } from '../base/close-reasons.ts';

/** What an application implements; `SockJSConnection` is the one that it sees. */
export interface ConnectionHandlers {
  onOpen(info: ConnectionInfo): unknown;
  onMessage(message: string): unknown;
  onBinary(data: Uint8Array): unknown;
  onDrain(): unknown;
  onClose(code: number, reason: string): unknown;
}

/** Whose life it is: a session, or a channel of a multiplexed one. */
export interface HandlerOwner {
  readonly info: ConnectionInfo;
  /** False from the moment that an end is decided: no message reaches the application after it. */
  readonly isOpen: boolean;
  /** Ends it; the application is told later. */
  end(end: CloseReason): void;
}

// Transports hold a client back meanwhile; this bounds what none of them can: the channels of one session.
const INBOX_LIMIT = 4 * 1024 * 1024;

function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof Reflect.get(value, 'then') === 'function'
  );
}

export class HandlerRunner {
  readonly #application: ConnectionHandlers;
  readonly #living: HandlerOwner;
  readonly #logger: SockJSLogger;
  #state: 'new' | 'opening' | 'open' | 'closed' = 'new';
  #opening: Promise<void> | undefined;
  #inbox: (string | Uint8Array)[] | undefined;
  #inboxSize = 0;
  #end: CloseStatus | undefined;
  #watchers: Set<() => void> | undefined;

  constructor(application: ConnectionHandlers, living: HandlerOwner, logger: SockJSLogger) {
    this.#application = application;
    this.#living = living;
    this.#logger = logger;
  }

  /** Settles when `onOpen` has; undefined when there is nothing to wait for. */
  get opening(): Promise<void> | undefined {
    return this.#opening;
  }

  /** `onOpen` has settled and did not refuse; the end has not been told. */
  get isAccepted(): boolean {
    return this.#state === 'open';
  }

  open(): void {
    if (this.#state !== 'new') return;
    this.#state = 'opening';
    const answer = this.#call('onOpen', (application) => application.onOpen(this.#living.info));
    if (isPromiseLike(answer)) this.#opening = this.#settle(answer);
    else this.#opened(answer);
  }

  deliver(data: string | Uint8Array): void {
    if (this.#state === 'opening') this.#keep(data);
    else if (this.#state === 'open' && this.#living.isOpen) this.#handle(data);
  }

  drained(): void {
    if (this.#state !== 'open') return;
    this.#watch(
      'onDrain',
      this.#call('onDrain', (application) => application.onDrain()),
    );
  }

  /** See `Link`. */
  watchEnd(watcher: () => void): () => void {
    if (this.#state === 'closed' || this.#end !== undefined) watcher();
    else (this.#watchers ??= new Set()).add(watcher);
    return () => this.#watchers?.delete(watcher);
  }

  close(end: CloseStatus): void {
    for (const watcher of this.#watchers ?? []) watcher();
    this.#watchers = undefined;
    if (this.#state === 'opening') {
      this.#end ??= end;
    } else if (this.#state === 'open') {
      this.#state = 'closed';
      this.#watch(
        'onClose',
        this.#call('onClose', (application) => application.onClose(end.code, end.reason)),
      );
    } else {
      this.#state = 'closed';
    }
  }

  #keep(data: string | Uint8Array): void {
    if (!this.#living.isOpen) return;
    (this.#inbox ??= []).push(data);
    this.#inboxSize += data.length + MESSAGE_OVERHEAD_BYTES;
    if (this.#inboxSize > INBOX_LIMIT) this.#living.end(CLOSE_REASONS.beforeAccept);
  }

  async #settle(answer: PromiseLike<unknown>): Promise<void> {
    let outcome: unknown;
    try {
      outcome = await answer;
    } catch (error) {
      this.#fail('onOpen', error);
    }
    this.#opening = undefined;
    this.#opened(outcome);
  }

  #opened(answer: unknown): void {
    this.#state = 'open';
    if (answer === false) this.#living.end(CLOSE_REASONS.refused);
    const inbox = this.#inbox;
    this.#inbox = undefined;
    for (const data of inbox ?? []) this.deliver(data);
    if (this.#end !== undefined) this.close(this.#end);
  }

  #handle(data: string | Uint8Array): void {
    // Told apart by hand, without a closure: this is the hot path.
    try {
      const application = this.#application;
      const text = typeof data === 'string';
      this.#watch('onMessage', text ? application.onMessage(data) : application.onBinary(data));
    } catch (error) {
      this.#fail('onMessage', error);
    }
  }

  #call(handler: string, call: (application: ConnectionHandlers) => unknown): unknown {
    try {
      return call(this.#application);
    } catch (error) {
      this.#fail(handler, error);
      return undefined;
    }
  }

  #watch(handler: string, answer: unknown): void {
    if (isPromiseLike(answer))
      answer.then(undefined, (error: unknown) => this.#fail(handler, error));
  }

  #fail(handler: string, error: unknown): void {
    this.#living.end(CLOSE_REASONS.internalError);
    const name = this.#application.constructor.name;
    this.#logger.error(
      `${name}.${handler} failed; its connection is closed with 1011: ${describeError(error)}`,
    );
  }
}
