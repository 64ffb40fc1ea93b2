import { Ticker } from '../base/ticker.ts';

const CHECKS_PER_TIMEOUT = 4;

/** Limits for a client that reads slowly. Times in milliseconds. */
export interface WriteLimits {
  /** Time in which a client has to read some of its buffered bytes. */
  readonly writeTimeout: number;
  /** Time in which a client has to be able to read all of them, at the rate of the last `writeTimeout`. */
  readonly sendTimeLimit: number;
}

/** Output to a client. */
export interface WatchedOutput {
  /** Bytes that the client, or the system, has taken. */
  bytesTaken(): number;
  /** Bytes written that are not taken. */
  bytesBuffered(): number;
}

/**
 * Calls back when a client reads none of the written bytes during a whole `writeTimeout`, or so few that the rest would
 * take longer than `sendTimeLimit`. The needed rate grows with the buffered bytes, so a slow client with few of them is
 * kept. A part of one large write counts as read. Input does not count, since a client that never reads could otherwise
 * keep its connection forever. Time that the process has lost does not count.
 */
export class OutputWatchdog {
  readonly #output: WatchedOutput;
  readonly #limits: WriteLimits;
  readonly #ticker: Ticker;
  readonly #onTimeout: () => void;
  /** Bytes taken at each of the last checks. */
  #taken: number[] = [];

  constructor(output: WatchedOutput, limits: WriteLimits, onTimeout: () => void) {
    this.#output = output;
    this.#limits = limits;
    const interval = limits.writeTimeout / CHECKS_PER_TIMEOUT;
    this.#ticker = new Ticker(interval, (counted) => this.#check(counted));
    this.#onTimeout = onTimeout;
  }

  /** Starts watching, unless it is already watching. */
  start(): void {
    if (this.#ticker.isRunning) return;
    this.#taken = [this.#output.bytesTaken()];
    this.#ticker.start();
  }

  stop(): void {
    this.#ticker.stop();
  }

  #check(counted: number): void {
    if (counted === 0) return;
    const taken = this.#output.bytesTaken();
    this.#taken.push(taken);
    if (this.#taken.length <= CHECKS_PER_TIMEOUT) return;
    const read = taken - (this.#taken.shift() ?? taken);
    if (read > 0 && this.#timeFor(read) <= this.#limits.sendTimeLimit) return;
    this.stop();
    this.#onTimeout();
  }

  /** Returns the time that the buffered bytes take, if `read` bytes take `writeTimeout`. */
  #timeFor(read: number): number {
    return (this.#output.bytesBuffered() / read) * this.#limits.writeTimeout;
  }
}
