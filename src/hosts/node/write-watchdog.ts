import type { Socket } from 'node:net';
import { bytesTaken } from './node-internals.ts';

const CHECKS_PER_TIMEOUT = 4;

/**
 * Calls back when a client reads none of the written bytes during a whole timeout. A part of one large write counts as
 * progress. Input does not count, since a client that never reads could otherwise keep its connection forever.
 */
export class WriteWatchdog {
  readonly #socket: Socket;
  readonly #timeout: number;
  readonly #onTimeout: () => void;
  #timer: NodeJS.Timeout | undefined;
  #taken = 0;
  #checksWithoutProgress = 0;

  /** @param timeout in milliseconds */
  constructor(socket: Socket, timeout: number, onTimeout: () => void) {
    this.#socket = socket;
    this.#timeout = timeout;
    this.#onTimeout = onTimeout;
  }

  /** Starts watching, unless it is already watching. */
  start(): void {
    if (this.#timer !== undefined) return;
    this.#taken = bytesTaken(this.#socket);
    this.#checksWithoutProgress = 0;
    this.#timer = setInterval(() => this.#check(), Math.max(1, this.#timeout / CHECKS_PER_TIMEOUT));
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #check(): void {
    const taken = bytesTaken(this.#socket);
    this.#checksWithoutProgress = taken === this.#taken ? this.#checksWithoutProgress + 1 : 0;
    this.#taken = taken;
    if (this.#checksWithoutProgress < CHECKS_PER_TIMEOUT) return;
    this.stop();
    this.#onTimeout();
  }
}
