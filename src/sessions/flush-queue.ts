export interface Flushable {
  flush(): void;
}

/** Collects sessions with queued messages and flushes them together, so that a burst is sent as one frame. */
export class FlushQueue {
  readonly #schedule: (run: () => void) => void;
  readonly #onError: (error: unknown) => void;
  #pending: Flushable[] = [];

  /**
   * @param immediate true to flush after the running callback, false to flush once per turn of the event loop
   * @param onError receives an error that a `flush` throws. The other sessions are still flushed
   */
  constructor(immediate: boolean, onError: (error: unknown) => void) {
    this.#schedule = immediate ? queueMicrotask : setImmediate;
    this.#onError = onError;
  }

  /** Adds a session. The caller adds it at most once between two flushes. */
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
