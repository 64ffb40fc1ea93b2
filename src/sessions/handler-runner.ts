import { type CloseReason, type CloseStatus, CLOSE_REASONS } from '../base/close-reasons.ts';
import type { ConnectionInfo } from '../base/connection-info.ts';
import type { ClientMemory, MemoryReservation } from '../base/memory-budget.ts';
import { isThenable, toPromise } from '../base/thenable.ts';
import { type SockJSLogger, describeError } from '../base/logging.ts';
import { MESSAGE_OVERHEAD_BYTES } from '../protocol/message.ts';

/** Handlers of the application. `SockJSConnection` is the public class that has them. */
export interface ConnectionHandlers {
  onOpen(info: ConnectionInfo): unknown;
  onMessage(message: string): unknown;
  onBinary(data: Uint8Array): unknown;
  onDrain(): unknown;
  onClose(code: number, reason: string): unknown;
}

/** Session, or channel of a multiplexed session, whose handlers are called. */
export interface HandlerOwner {
  readonly info: ConnectionInfo;
  readonly memory: ClientMemory;
  /** Set as soon as the connection is closing. No message is handled after that. */
  readonly closeReason: CloseStatus | undefined;
  /** Closes the connection. The owner then calls `HandlerRunner.close`. */
  close(reason: CloseReason): void;
}

/** Limit for messages buffered while `onOpen` is pending. A session delays its client as well. A channel cannot. */
const MAX_INBOX_BYTES = 4 * 1024 * 1024;

/**
 * Calls the handlers of one connection: `onOpen` once, then `onMessage` in order, then `onClose` once and last.
 * Messages are buffered while an asynchronous `onOpen` is pending. A handler that throws or rejects closes only its own
 * connection.
 */
export class HandlerRunner {
  readonly #handlers: ConnectionHandlers;
  readonly #owner: HandlerOwner;
  readonly #logger: SockJSLogger;
  /** `closing`: closed while `onOpen` is pending, after which `onClose` follows. */
  #state: 'new' | 'opening' | 'closing' | 'accepted' | 'closed' = 'new';
  #opening: Promise<void> | undefined;
  #inbox: (string | Uint8Array)[] | undefined;
  #inboxBytes = 0;
  #inboxReservation: MemoryReservation | undefined;
  #closeWatchers: Set<() => void> | undefined;

  constructor(handlers: ConnectionHandlers, owner: HandlerOwner, logger: SockJSLogger) {
    this.#handlers = handlers;
    this.#owner = owner;
    this.#logger = logger;
  }

  /** Promise that resolves when `onOpen` settles. Undefined unless `onOpen` is pending. */
  get opening(): Promise<void> | undefined {
    return this.#opening;
  }

  /** True once `onOpen` has settled, until `onClose` is called. */
  get isAccepted(): boolean {
    return this.#state === 'accepted';
  }

  /** Calls `onOpen`, the first time. */
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

  /** Calls `onMessage` or `onBinary`, or buffers the message while `onOpen` is pending. */
  deliver(data: string | Uint8Array): void {
    if (this.#owner.closeReason !== undefined) return;
    if (this.#state === 'accepted') this.#handle(data);
    else if (this.#state === 'opening') this.#buffer(data);
  }

  /** Calls `onDrain`. */
  drain(): void {
    if (this.#state !== 'accepted') return;
    this.#watch('onDrain', this.#call('onDrain'));
  }

  /**
   * Calls `watcher` when the connection closes, or at once if it is closed.
   * @returns a function that removes the watcher
   */
  watchClose(watcher: () => void): () => void {
    if (this.#state === 'closed' || this.#state === 'closing') watcher();
    else (this.#closeWatchers ??= new Set()).add(watcher);
    return () => this.#closeWatchers?.delete(watcher);
  }

  /** Calls `onClose` with the owner's close reason, once `onOpen` has settled. */
  close(): void {
    for (const watcher of this.#closeWatchers ?? []) watcher();
    this.#closeWatchers = undefined;
    if (this.#state === 'opening' || this.#state === 'closing') {
      this.#state = 'closing';
      this.#releaseInbox(); // No message is handled any more.
      return;
    }
    const reason = this.#state === 'accepted' ? this.#owner.closeReason : undefined;
    this.#state = 'closed';
    if (reason === undefined) return;
    this.#watch('onClose', this.#call('onClose', reason.code, reason.reason));
  }

  #buffer(data: string | Uint8Array): void {
    (this.#inbox ??= []).push(data);
    this.#inboxBytes += data.length + MESSAGE_OVERHEAD_BYTES;
    const onEvicted = (): void => this.#owner.close(CLOSE_REASONS.memoryLimit);
    this.#inboxReservation ??= this.#owner.memory.reserve('delayedInput', onEvicted);
    if (this.#inboxBytes > MAX_INBOX_BYTES) this.#owner.close(CLOSE_REASONS.beforeAccept);
    else if (!this.#inboxReservation.resize(this.#inboxBytes)) onEvicted();
  }

  async #settle(pending: PromiseLike<unknown>): Promise<void> {
    let result: unknown;
    try {
      result = await toPromise(pending);
    } catch (error) {
      this.#fail('onOpen', error);
    }
    this.#opening = undefined;
    this.#opened(result);
  }

  #opened(result: unknown): void {
    const isClosing = this.#state === 'closing';
    this.#state = 'accepted';
    if (result === false) this.#owner.close(CLOSE_REASONS.refused);
    const inbox = this.#inbox;
    this.#releaseInbox();
    for (const data of inbox ?? []) this.deliver(data);
    if (isClosing) this.close();
  }

  #releaseInbox(): void {
    this.#inbox = undefined;
    this.#inboxReservation?.release();
  }

  #handle(data: string | Uint8Array): void {
    // `#call` would allocate an array for each message.
    const name = typeof data === 'string' ? 'onMessage' : 'onBinary';
    try {
      const handlers = this.#handlers;
      const result = typeof data === 'string' ? handlers.onMessage(data) : handlers.onBinary(data);
      this.#watch(name, result);
    } catch (error) {
      this.#fail(name, error);
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
    toPromise(result).catch((error: unknown) => this.#fail(name, error));
  }

  #fail(name: string, error: unknown): void {
    this.#owner.close(CLOSE_REASONS.internalError);
    const className = this.#handlers.constructor.name;
    this.#logger.error(
      `${className}.${name} failed; its connection is closed with 1011: ${describeError(error)}`,
    );
  }
}
