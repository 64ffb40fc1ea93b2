/**
 * Gathers the sessions that have something to say and lets them say it together, once the code that
 * is running has returned. Sixteen sends are one frame and one write because of this file.
 */
export interface Flushable {
  flush(): void;
}

export class FlushQueue {
  readonly #schedule: (run: () => void) => void;
  readonly #failed: (error: unknown) => void;
  #waiting: Flushable[] = [];

  /**
   * @param immediate after the running callback; else after all callbacks of this turn of the event loop
   * @param failed is told what a session threw; the others are flushed all the same
   */
  constructor(immediate: boolean, failed: (error: unknown) => void) {
    this.#schedule = immediate ? queueMicrotask : setImmediate;
    this.#failed = failed;
  }

  /** The same session may be added once until it is flushed; it keeps count of that itself. */
  add(session: Flushable): void {
    if (this.#waiting.push(session) === 1) this.#schedule(this.#run);
  }

  readonly #run = (): void => {
    const sessions = this.#waiting;
    this.#waiting = [];
    for (const session of sessions) {
      try {
        session.flush();
      } catch (error) {
        this.#failed(error);
      }
    }
  };
}
