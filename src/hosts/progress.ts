/**
 * Watches over a peer that does not keep up. The timeout of a socket starts anew whenever its peer takes
 * something, even a part of one large write, which nothing else in Node tells.
 */
import type { Socket } from 'node:net';

export class Progress {
  readonly #socket: Socket;
  readonly #timeout: number;
  readonly #stalled: () => void;
  #before: number | undefined;

  /** @param timeout in milliseconds; then `stalled` is called */
  constructor(socket: Socket, timeout: number, stalled: () => void) {
    this.#socket = socket;
    this.#timeout = timeout;
    this.#stalled = stalled;
  }

  /** Something waits to be taken. */
  expect(): void {
    if (this.#before !== undefined) return;
    this.#before = this.#socket.timeout ?? 0;
    this.#socket.setTimeout(this.#timeout, this.#stalled);
  }

  /** All of it has been taken. */
  made(): void {
    if (this.#before === undefined) return;
    this.#socket.off('timeout', this.#stalled);
    this.#socket.setTimeout(this.#before);
    this.#before = undefined;
  }

  /** Nobody waits any more; the timeout is somebody else's again: Node sets its own after an answer. */
  end(): void {
    this.#socket.off('timeout', this.#stalled);
  }
}
