export interface Flushable {
  /** True if so much is queued that the flush should wait for its slice of a turn of the event loop. */
  readonly hasLongQueue: boolean;
  /** Called when the session has to wait for a slice. */
  postpone(): void;
  flush(): void;
}

/** Queued bytes from which a flush takes long: encoding and writing them takes about 0.1 ms. */
const LONG_QUEUE_BYTES = 64 * 1024;

/** Returns whether a flush of so many bytes should wait for its slice. */
export function isLongQueue(bytes: number): boolean {
  return bytes > LONG_QUEUE_BYTES;
}

/** Time that flushes may take in one turn of the event loop, in milliseconds. */
const SLICE_MS = 10;
/** Number of short flushes after which the clock is read, which takes a tenth of the time of one. */
const FLUSHES_PER_CHECK = 16;

/**
 * Collects sessions with queued messages and flushes them together, so that a burst is sent as one frame. Flushes that
 * do not fit into the slice of this turn of the event loop are postponed to the next turns, so that a broadcast delays
 * input, timers and the messages of other clients only by a slice.
 */
export class FlushQueue {
  readonly #schedule: (run: () => void) => void;
  readonly #onError: (error: unknown) => void;
  readonly #flushesPerCheck: number;
  readonly #clock: () => number;
  #pending: Flushable[] = [];
  /** Sessions that wait for a slice. Those with little to send come first. */
  readonly #short: Flushable[] = [];
  readonly #long: Flushable[] = [];
  #hasSlice = false;
  #sliceEnd = 0;

  /**
   * @param immediate true to flush after the running callback, false to flush once per turn of the event loop
   * @param onError receives an error that a `flush` throws. The other sessions are still flushed
   * @param checksEach true to read the clock after each flush, because even one of short messages may take long
   * @param clock returns the time in milliseconds
   */
  constructor(
    immediate: boolean,
    onError: (error: unknown) => void,
    checksEach = false,
    clock: () => number = () => performance.now(),
  ) {
    this.#schedule = immediate ? queueMicrotask : setImmediate;
    this.#onError = onError;
    this.#flushesPerCheck = checksEach ? 1 : FLUSHES_PER_CHECK;
    this.#clock = clock;
  }

  /** Adds a session. The caller adds it at most once between two flushes. */
  add(session: Flushable): void {
    if (this.#pending.push(session) === 1) this.#schedule(this.#run);
  }

  readonly #run = (): void => {
    const sessions = this.#pending;
    this.#pending = [];
    const first = sessions[0];
    // The common case needs no clock.
    if (first !== undefined && sessions.length === 1 && !first.hasLongQueue) {
      return this.#flush(first);
    }
    this.#beginSlice();
    let isOver = this.#isSliceOver || this.#short.length > 0;
    let flushes = 0;
    for (const session of sessions) {
      if (session.hasLongQueue) {
        this.#postpone(session, this.#long);
      } else if (isOver) {
        this.#postpone(session, this.#short);
      } else {
        this.#flush(session);
        flushes += 1;
        if (flushes % this.#flushesPerCheck === 0) isOver = this.#isSliceOver;
      }
    }
    this.#flushSome(this.#long);
  };

  #postpone(session: Flushable, sessions: Flushable[]): void {
    session.postpone();
    sessions.push(session);
  }

  /** Begins the slice of this turn, unless it has begun. */
  #beginSlice(): void {
    if (this.#hasSlice) return;
    this.#hasSlice = true;
    this.#sliceEnd = this.#clock() + SLICE_MS;
    setImmediate(this.#runNextSlice);
  }

  readonly #runNextSlice = (): void => {
    this.#hasSlice = false;
    if (this.#short.length === 0 && this.#long.length === 0) return;
    this.#beginSlice();
    this.#flushSome(this.#short);
    // One in each turn, even if short flushes take the whole slice.
    for (const session of this.#long.splice(0, 1)) this.#flush(session);
    this.#flushSome(this.#long);
  };

  /** Flushes sessions until the slice ends. */
  #flushSome(sessions: Flushable[]): void {
    let count = 0;
    for (const session of sessions) {
      if (this.#isSliceOver) break;
      this.#flush(session);
      count += 1;
    }
    sessions.splice(0, count);
  }

  get #isSliceOver(): boolean {
    return this.#clock() >= this.#sliceEnd;
  }

  #flush(session: Flushable): void {
    try {
      session.flush();
    } catch (error) {
      this.#onError(error);
    }
  }
}
