/** Delay from which a tick counts as late, in milliseconds. */
const LATE_MS = 50;

/**
 * Ticks at an interval, for deadlines of clients. When the process was stopped or the event loop blocked, timers run
 * before sockets are read. Input that arrived in time would then seem to be missing. Each tick therefore waits until
 * sockets are read, and passes on the time that was lost. Deadlines move by it.
 *
 * The time up to a late tick is lost as a whole, so that clients get one more interval: a new connection takes several
 * turns of the event loop. If the tick before was late too, one interval counts. Deadlines therefore pass in a process
 * that is always late.
 */
export class Ticker {
  readonly #interval: number;
  readonly #onTick: (counted: number, lost: number) => void;
  readonly #clock: () => number;
  #timer: NodeJS.Timeout | undefined;
  #turn: NodeJS.Immediate | undefined;
  #lastTick = 0;
  #wasLate = false;
  #keepsProcess = true;
  #counted = 0;
  #lost = 0;

  /**
   * @param interval in milliseconds. It is rounded up
   * @param onTick receives the time since its last call in two parts, in milliseconds: the time that counts, as whole
   * intervals, and the time that late ticks have lost
   * @param clock returns the time in milliseconds
   */
  constructor(
    interval: number,
    onTick: (counted: number, lost: number) => void,
    clock: () => number = () => performance.now(),
  ) {
    this.#interval = Math.max(1, Math.ceil(interval));
    this.#onTick = onTick;
    this.#clock = clock;
  }

  get isRunning(): boolean {
    return this.#timer !== undefined;
  }

  /** Starts ticking, unless it has started. */
  start(): void {
    if (this.#timer !== undefined) return;
    this.#lastTick = this.#clock();
    this.#wasLate = false;
    this.#timer = setInterval(this.#onTimer, this.#interval);
    if (!this.#keepsProcess) this.#timer.unref();
  }

  /** Lets the process end while it ticks. */
  unref(): void {
    this.#keepsProcess = false;
    this.#timer?.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    clearImmediate(this.#turn);
    this.#timer = undefined;
    this.#reset();
  }

  readonly #onTimer = (): void => {
    this.#measure();
    // The first turn may accept a connection, and the second one read its request.
    this.#turn ??= setImmediate(() => {
      this.#turn = setImmediate(() => {
        const [counted, lost] = [this.#counted, this.#lost];
        this.#reset();
        this.#onTick(counted, lost);
      });
    });
  };

  #measure(): void {
    const now = this.#clock();
    const elapsed = now - this.#lastTick;
    const wasLate = this.#wasLate;
    this.#lastTick = now;
    this.#wasLate = elapsed >= this.#interval + LATE_MS;
    const counted = this.#wasLate && !wasLate ? 0 : this.#interval;
    this.#counted += counted;
    if (this.#wasLate) this.#lost += elapsed - counted;
  }

  #reset(): void {
    this.#turn = undefined;
    this.#counted = 0;
    this.#lost = 0;
  }
}
