import type { Socket } from 'node:net';
import { Ticker } from '../../base/ticker.ts';
import { bytesTaken } from './node-internals.ts';

const CHECKS_PER_TIMEOUT = 4;

/**
 * Calls back when a client reads none of the written bytes during a whole timeout. A part of one large write counts as
 * progress. Input does not count, since a client that never reads could otherwise keep its connection forever.
 */
export class WriteWatchdog {
  readonly #socket: Socket;
  readonly #ticker: Ticker;
  readonly #onTimeout: () => void;
  #taken = 0;
  #checksWithoutProgress = 0;

  /** @param timeout in milliseconds */
  constructor(socket: Socket, timeout: number, onTimeout: () => void) {
    this.#socket = socket;
    this.#ticker = new Ticker(timeout / CHECKS_PER_TIMEOUT, (counted) => this.#check(counted));
    this.#onTimeout = onTimeout;
  }

  /** Starts watching, unless it is already watching. */
  start(): void {
    if (this.#ticker.isRunning) return;
    this.#taken = bytesTaken(this.#socket);
    this.#checksWithoutProgress = 0;
    this.#ticker.start();
  }

  stop(): void {
    this.#ticker.stop();
  }

  #check(counted: number): void {
    if (counted === 0) return;
    const taken = bytesTaken(this.#socket);
    this.#checksWithoutProgress = taken === this.#taken ? this.#checksWithoutProgress + 1 : 0;
    this.#taken = taken;
    if (this.#checksWithoutProgress < CHECKS_PER_TIMEOUT) return;
    this.stop();
    this.#onTimeout();
  }
}
