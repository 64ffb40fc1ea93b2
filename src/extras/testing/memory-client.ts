import { checkCloseArguments } from '../../base/close-arguments.ts';
import { describeType } from '../../base/describe-value.ts';
import { SockJSError } from '../../base/errors.ts';
import { isWebSocketTransport } from '../../base/transport-name.ts';
import type { SockJSConnection } from '../../api/connection.ts';
import type { SockJSRouter } from '../../api/router.ts';
import type { HandlerName } from '../../sessions/handler-runner.ts';
import type { Session } from '../../sessions/session.ts';
import type { Inbox } from './inbox.ts';
import { keepProcess, nextTurn } from './real-time.ts';
import { TestClient } from './test-client.ts';
import type { Wire } from './wire.ts';

/** A promise that other code resolves, also with another promise. */
class Signal {
  readonly promise: Promise<unknown>;
  #resolve: ((value: unknown) => void) | undefined;

  constructor() {
    this.promise = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  resolve(value?: unknown): void {
    this.#resolve?.(value);
  }
}

/** Resolves when the handlers of a client's messages have settled, which are called in the order of the messages. */
class HandlerTracker {
  /** Settles once `onOpen` has. */
  readonly opened = new Signal();
  /** Settles once `onClose` has, or once the session has ended without it. */
  readonly closed = new Signal();
  readonly #unhandled: Signal[] = [];

  constructor(session: Session) {
    session.watchHandlers((name, pending) => this.#onCalled(name, pending));
    session.watchClose(() => {
      for (const signal of this.#unhandled.splice(0)) signal.resolve();
    });
  }

  /** Expects a call of a handler for one more message. */
  expectCall(): Signal {
    const signal = new Signal();
    this.#unhandled.push(signal);
    return signal;
  }

  /** Expects no call, since the message was refused. */
  forget(signal: Signal): void {
    const index = this.#unhandled.indexOf(signal);
    if (index >= 0) this.#unhandled.splice(index, 1);
  }

  #onCalled(name: HandlerName, pending: Promise<unknown> | undefined): void {
    if (name === 'onOpen') this.opened.resolve(pending);
    else if (name === 'onClose') this.closed.resolve(pending);
    else if (name !== 'onDrain') this.#unhandled.shift()?.resolve(pending);
  }
}

/** A client in memory, and the connection object that serves it. */
export class MemoryClient<
  C extends SockJSConnection,
  Message = string,
> extends TestClient<Message> {
  /** The instance of the class under test. */
  readonly connection: C;
  /** The router that has opened the session. Open more of its clients with `openClient(client.router)`. */
  readonly router: SockJSRouter<C>;
  readonly #inbox: Inbox<Message>;
  readonly #session: Session;
  readonly #tracker: HandlerTracker;
  readonly #wire: Wire;

  /** @internal */
  constructor(
    router: SockJSRouter<C>,
    connection: C,
    session: Session,
    wire: Wire,
    inbox: Inbox<Message>,
  ) {
    super(inbox);
    this.router = router;
    this.connection = connection;
    this.#inbox = inbox;
    this.#session = session;
    this.#wire = wire;
    this.#tracker = new HandlerTracker(session);
  }

  /**
   * Waits until `onOpen` has settled, or the client has closed.
   * @returns whether the session is open
   * @internal
   */
  async accepted(): Promise<boolean> {
    const releaseProcess = keepProcess();
    await Promise.race([this.#tracker.opened.promise, this.#inbox.whenClosed]);
    releaseProcess();
    if (this.#session.closeReason === undefined && this.#inbox.closeStatus === undefined)
      return true;
    await this.closed;
    return false;
  }

  /**
   * Sends a message to `onMessage`. Bytes of a `rawwebsocket` go to `onBinary`.
   * @returns a promise that resolves when the handler has settled, and what it has sent is in `received` of the clients
   * @throws SockJSError `ERR_MESSAGE_TYPE` for other types; Error if the connection has closed, or the server refuses
   * the request with the message
   */
  async send(message: Message): Promise<void> {
    const data = this.#checkMessage(message);
    this.#inbox.checkOpen();
    // A session that is closing drops messages.
    const call = this.#session.closeReason === undefined ? this.#tracker.expectCall() : undefined;
    try {
      await this.#wire.sendMessage(data);
    } catch (error) {
      if (call !== undefined) this.#tracker.forget(call);
      throw error;
    }
    await call?.promise;
    await nextTurn();
  }

  /**
   * Closes as the client. Only a WebSocket carries the code and reason: on other transports `onClose` gets 1002.
   * @returns a promise that resolves when `onClose` has settled. A client that is paused between two polls is only
   * missed after `disconnectDelay`, for which the promise does not wait
   * @throws SockJSError `ERR_CLOSE_ARGUMENT`
   */
  async close(code = 1000, reason = ''): Promise<void> {
    checkCloseArguments(code, reason);
    await this.#end(() => this.#wire.closeByClient(code, reason));
  }

  /**
   * Ends the connection without a close frame, as when the network is lost.
   * @returns a promise that resolves as that of `close`
   */
  async abort(): Promise<void> {
    await this.#end(() => this.#wire.abortByClient());
  }

  /**
   * Stops reading, as a slow client: `connection.send` returns false. A client of `xhr` or `jsonp` sends no further
   * poll. A client that reads nothing is closed with 1013 after `writeTimeout`, or is missed after `disconnectDelay`.
   */
  pause(): void {
    this.#wire.stopReading();
  }

  /** Reads what is buffered and goes on. `onDrain` follows. */
  async resume(): Promise<void> {
    this.#wire.startReading();
    await nextTurn();
  }

  async #end(end: () => boolean): Promise<void> {
    const isNoticed = this.#inbox.closeStatus !== undefined || end();
    if (isNoticed) await this.#tracker.closed.promise;
    await nextTurn();
  }

  #checkMessage(message: unknown): string | Uint8Array {
    if (typeof message === 'string') return message;
    const isBinary = message instanceof Uint8Array;
    if (isBinary && isWebSocketTransport(this.#session.transport)) return message;
    const type = isBinary ? 'bytes' : describeType(message);
    throw new SockJSError(
      'ERR_MESSAGE_TYPE',
      `send() of a client of ${this.#session.transport} takes a string, not ${type}. ` +
        'Use JSON.stringify for other values, and the transport rawwebsocket for bytes.',
    );
  }
}
