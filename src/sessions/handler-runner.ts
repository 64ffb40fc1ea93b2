import { CLOSE_REASONS } from '../base/close-reasons.ts';
import type { ConnectionInfo } from '../base/connection-info.ts';
import { Deadline } from '../base/deadline.ts';
import { type SockJSLogger, describeError } from '../base/logging.ts';
import { warnIfPending } from '../base/pending-warning.ts';
import { isThenable, toPromise } from '../base/thenable.ts';
import {
  type InboundContext,
  type InboundMessage,
  type InboundOwner,
  InboundQueue,
  type InboundSettings,
} from './inbound-queue.ts';
import type { RateLimit } from './rate-limit.ts';

/** Handlers of the application. `SockJSConnection` is the public class that has them. */
export interface ConnectionHandlers {
  onOpen(info: ConnectionInfo): unknown;
  onMessage(message: string): unknown;
  onBinary(data: Uint8Array): unknown;
  onDrain(): unknown;
  onClose(code: number, reason: string): unknown;
}

export type HandlerName = keyof ConnectionHandlers;

/**
 * Called after each call of a handler.
 * @param pending resolves when the promise of the handler settles. Undefined if it has returned none
 */
export type HandlerWatcher = (name: HandlerName, pending: Promise<unknown> | undefined) => void;

/** Settings for the handlers of a connection. */
export interface HandlerSettings extends InboundSettings {
  /** Time limit for `onOpen`, in milliseconds. */
  readonly openTimeout: number;
}

/** Objects of the router that handlers need. */
export interface HandlerContext extends InboundContext {
  readonly settings: HandlerSettings;
  readonly logger: SockJSLogger;
}

/**
 * Session, or channel of a multiplexed session, whose handlers are called. After `close` it calls
 * `HandlerRunner.close`.
 */
export interface HandlerOwner extends InboundOwner {
  readonly info: ConnectionInfo;
  readonly context: HandlerContext;
}

/**
 * Calls the handlers of one connection: `onOpen` once, then `onMessage` in order, then `onClose` once and last. A
 * handler that throws or rejects closes only its own connection.
 */
export class HandlerRunner {
  /** Passes the client's messages to the handlers. */
  readonly input: InboundQueue;
  readonly #handlers: ConnectionHandlers;
  readonly #owner: HandlerOwner;
  /** `closing`: closed while `onOpen` is pending, after which `onClose` follows. */
  #state: 'new' | 'opening' | 'closing' | 'accepted' | 'closed' = 'new';
  #openDeadline: Deadline | undefined;
  #closeWatchers: Set<() => void> | undefined;
  /** Set by the test kit. */
  watcher: HandlerWatcher | undefined;

  /** @param rateLimit rate limit of the client. A channel has none, since its session has one */
  constructor(handlers: ConnectionHandlers, owner: HandlerOwner, rateLimit?: RateLimit) {
    this.#handlers = handlers;
    this.#owner = owner;
    this.input = new InboundQueue(owner, (data) => this.#handle(data), rateLimit);
  }

  /** True while `onOpen` is pending, also after the connection has closed. */
  get isOpening(): boolean {
    return this.#state === 'opening' || this.#state === 'closing';
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
    const pending = isThenable(result) ? this.#awaitOpen(result) : undefined;
    if (pending === undefined) this.#opened(result);
    this.watcher?.('onOpen', pending);
  }

  /** Calls `onDrain`. */
  drain(): void {
    if (this.#state !== 'accepted') return;
    this.#call('onDrain');
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
    const reason = this.#state === 'accepted' ? this.#owner.closeReason : undefined;
    this.#state = this.isOpening ? 'closing' : 'closed';
    this.#openDeadline?.clear();
    this.input.close();
    if (reason === undefined) return;
    this.#call('onClose', reason.code, reason.reason);
  }

  async #awaitOpen(pending: PromiseLike<unknown>): Promise<void> {
    const { openTimeout } = this.#owner.context.settings;
    this.#openDeadline = new Deadline(openTimeout, () => this.#onOpenTimeout(openTimeout));
    let result: unknown;
    const onSettled = warnIfPending(() => this.#warnOfPendingOpen());
    try {
      result = await toPromise(pending);
    } catch (error) {
      this.#fail('onOpen', error);
    }
    onSettled();
    this.#openDeadline.clear();
    this.#opened(result);
  }

  #onOpenTimeout(openTimeout: number): void {
    this.#owner.close(CLOSE_REASONS.openTimeout);
    this.#owner.context.logger.error(
      `${this.#className}.onOpen has been pending for ${openTimeout} ms; its connection is closed with 1011. ` +
        'See the setting openTimeout.',
    );
  }

  #opened(result: unknown): void {
    const isClosing = this.#state === 'closing';
    this.#state = 'accepted';
    if (result === false) this.#owner.close(CLOSE_REASONS.refused);
    if (isClosing) this.close();
    else this.input.open();
  }

  #handle(data: InboundMessage): void {
    // `#call` would allocate an array for each message.
    const name = typeof data === 'string' ? 'onMessage' : 'onBinary';
    let pending: Promise<unknown> | undefined;
    try {
      const handlers = this.#handlers;
      const result = typeof data === 'string' ? handlers.onMessage(data) : handlers.onBinary(data);
      if (isThenable(result)) {
        pending = this.#adopt(name, result);
        this.input.countPending(pending);
      }
    } catch (error) {
      this.#fail(name, error);
    }
    this.watcher?.(name, pending);
  }

  #call<Name extends HandlerName>(name: Name, ...args: Parameters<ConnectionHandlers[Name]>): void {
    let pending: Promise<unknown> | undefined;
    try {
      const result: unknown = Reflect.apply(this.#handlers[name], this.#handlers, args);
      if (isThenable(result)) pending = this.#adopt(name, result);
    } catch (error) {
      this.#fail(name, error);
    }
    this.watcher?.(name, pending);
  }

  /** Returns a promise that resolves when `pending` settles. */
  #adopt(name: string, pending: PromiseLike<unknown>): Promise<unknown> {
    return toPromise(pending).catch((error: unknown) => this.#fail(name, error));
  }

  get #className(): string {
    return this.#handlers.constructor.name;
  }

  #warnOfPendingOpen(): void {
    this.#owner.context.logger.warn(
      `${this.#className}.onOpen has been pending for 5 s. The messages of its client are delayed ` +
        'until its promise settles.',
    );
  }

  #fail(name: string, error: unknown): void {
    this.#owner.close(CLOSE_REASONS.internalError);
    this.#owner.context.logger.error(
      `${this.#className}.${name} failed; its connection is closed with 1011: ${describeError(error)}`,
    );
  }
}
