/** Collects sessions with something to send and flushes them together, so that a burst leaves as one frame. */
export interface Flushable {
  flush(): void;
}

export class FlushQueue {
  readonly #schedule: (run: () => void) => void;
  readonly #onError: (error: unknown) => void;
  #pending: Flushable[] = [];

  /**
   * @param immediate flushes after the running callback; otherwise once per turn of the event loop
   * @param onError receives what a `flush` throws. The others are flushed all the same
   */
  constructor(immediate: boolean, onError: (error: unknown) => void) {
    this.#schedule = immediate ? queueMicrotask : setImmediate;
    this.#onError = onError;
  }

  /** The caller sees to it that it is added once between two flushes. */
  add(session: Flushable): void {
    if (this.#pending.push(session) === 1) this.#schedule(this.#run);
  }

  readonly #run = (): void => {
    const sessions = this.#pending;
    this.#pending = [];
    for (const session of sessions) {
      try {
        session.flush();
      } catch (error) {
        this.#onError(error);
      }
    }
  };
}
