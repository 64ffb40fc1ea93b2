/**
 * Calls the handlers of one connection: `onOpen` once, then `onMessage` in order, then `onClose` once and
 * last. Messages wait while an asynchronous `onOpen` is pending. A handler that throws or rejects closes its
 * own connection and no other.
 */
import { type CloseReason, type CloseStatus, CLOSE_REASONS } from '../base/close-reasons.ts';
import type { ConnectionInfo } from '../base/connection-info.ts';
import { isThenable } from '../base/thenable.ts';
import { describeError } from '../base/logging.ts';
import type { SockJSLogger } from '../base/logging.ts';
import { MESSAGE_OVERHEAD_BYTES } from '../protocol/message.ts';

/** Implemented by applications. `SockJSConnection` is its public face. */
export interface ConnectionHandlers {
  onOpen(info: ConnectionInfo): unknown;
  onMessage(message: string): unknown;
  onBinary(data: Uint8Array): unknown;
  onDrain(): unknown;
  onClose(code: number, reason: string): unknown;
}

/** Session, or channel of a multiplexed one, whose handlers are called. */
export interface HandlerOwner {
  readonly info: ConnectionInfo;
  /** Set as soon as an end is decided. No message is handled after that. */
  readonly closeReason: CloseStatus | undefined;
  /** Decides the end. `HandlerRunner.close` follows. */
  close(reason: CloseReason): void;
}

/** Limit for messages that wait for `onOpen`. Sessions delay their clients instead; channels cannot. */
const MAX_INBOX_BYTES = 4 * 1024 * 1024;

export class HandlerRunner {
  readonly #handlers: ConnectionHandlers;
  readonly #owner: HandlerOwner;
  readonly #logger: SockJSLogger;
  /** `ending`: closed while `onOpen` is pending, after which `onClose` follows. */
  #state: 'new' | 'opening' | 'ending' | 'accepted' | 'closed' = 'new';
  #opening: Promise<void> | undefined;
  #inbox: (string | Uint8Array)[] | undefined;
  #inboxBytes = 0;
  #closeWatchers: Set<() => void> | undefined;

  constructor(handlers: ConnectionHandlers, owner: HandlerOwner, logger: SockJSLogger) {
    this.#handlers = handlers;
    this.#owner = owner;
    this.#logger = logger;
  }

  /** Settles with `onOpen`. Undefined unless `onOpen` is pending. */
  get opening(): Promise<void> | undefined {
    return this.#opening;
  }

  /** `onOpen` has settled, and `onClose` has not been called. */
  get isAccepted(): boolean {
    return this.#state === 'accepted';
  }

  open(): void {
    if (this.#state !== 'new') return;
    this.#state = 'opening';
    let result: unknown;
    try {
      result = this.#handlers.onOpen(this.#owner.info);
    } catch (error) {
      this.#fail('onOpen', error);
    }
    if (isThenable(result)) this.#opening = this.#settle(result);
    else this.#opened(result);
  }

  deliver(data: string | Uint8Array): void {
    if (this.#owner.closeReason !== undefined) return;
    if (this.#state === 'accepted') this.#handle(data);
    else if (this.#state === 'opening') this.#keep(data);
  }

  drain(): void {
    if (this.#state !== 'accepted') return;
    this.#watch('onDrain', this.#call('onDrain'));
  }

  /**
   * Calls `watcher` when the connection closes, at once if it has.
   * @returns a function that removes the watcher
   */
  watchClose(watcher: () => void): () => void {
    if (this.#state === 'closed' || this.#state === 'ending') watcher();
    else (this.#closeWatchers ??= new Set()).add(watcher);
    return () => this.#closeWatchers?.delete(watcher);
  }

  /** Calls `onClose` with the owner's close reason, once `onOpen` has settled. */
  close(): void {
    for (const watcher of this.#closeWatchers ?? []) watcher();
    this.#closeWatchers = undefined;
    if (this.#state === 'opening' || this.#state === 'ending') {
      this.#state = 'ending';
      return;
    }
    const reason = this.#state === 'accepted' ? this.#owner.closeReason : undefined;
    this.#state = 'closed';
    if (reason === undefined) return;
    this.#watch('onClose', this.#call('onClose', reason.code, reason.reason));
  }

  #keep(data: string | Uint8Array): void {
    (this.#inbox ??= []).push(data);
    this.#inboxBytes += data.length + MESSAGE_OVERHEAD_BYTES;
    if (this.#inboxBytes > MAX_INBOX_BYTES) this.#owner.close(CLOSE_REASONS.beforeAccept);
  }

  async #settle(pending: PromiseLike<unknown>): Promise<void> {
    let result: unknown;
    try {
      result = await pending;
    } catch (error) {
      this.#fail('onOpen', error);
    }
    this.#opening = undefined;
    this.#opened(result);
  }

  #opened(result: unknown): void {
    const isEnding = this.#state === 'ending';
    this.#state = 'accepted';
    if (result === false) this.#owner.close(CLOSE_REASONS.refused);
    const inbox = this.#inbox;
    this.#inbox = undefined;
    for (const data of inbox ?? []) this.deliver(data);
    if (isEnding) this.close();
  }

  #handle(data: string | Uint8Array): void {
    // Not by `#call`, which would cost an array for each message.
    try {
      const handlers = this.#handlers;
      const isText = typeof data === 'string';
      this.#watch('onMessage', isText ? handlers.onMessage(data) : handlers.onBinary(data));
    } catch (error) {
      this.#fail('onMessage', error);
    }
  }

  #call<Name extends keyof ConnectionHandlers>(
    name: Name,
    ...args: Parameters<ConnectionHandlers[Name]>
  ): unknown {
    try {
      return Reflect.apply(this.#handlers[name], this.#handlers, args);
    } catch (error) {
      this.#fail(name, error);
      return undefined;
    }
  }

  #watch(name: string, result: unknown): void {
    if (!isThenable(result)) return;
    // `Promise.resolve` also takes thenables whose `then` throws.
    Promise.resolve(result).catch((error: unknown) => this.#fail(name, error));
  }

  #fail(name: string, error: unknown): void {
    this.#owner.close(CLOSE_REASONS.internalError);
    const className = this.#handlers.constructor.name;
    this.#logger.error(
      `${className}.${name} failed; its connection is closed with 1011: ${describeError(error)}`,
    );
  }
}
