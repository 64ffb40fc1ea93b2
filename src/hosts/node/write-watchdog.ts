import type { Socket } from 'node:net';
import { bytesTaken } from './node-internals.ts';

const CHECKS_PER_TIMEOUT = 4;

/**
 * Calls back when a peer takes nothing of what was written for a whole timeout. A part of one large write counts as
 * progress. Input from the peer does not: a client could otherwise keep a connection for ever that it never reads.
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

  /** Starts watching, unless it is watching already. */
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
