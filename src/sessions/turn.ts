/**
 * Gathers the sessions that have something to say and lets them say it together, once the code that
 * is running has returned. Sixteen sends are one frame and one write because of this file.
 */
export interface Flushable {
  flush(): void;
}

export class Turn {
  readonly #schedule: (run: () => void) => void;
  #waiting: Flushable[] = [];

  /** @param immediate after the running callback; else after all callbacks of this turn of the event loop */
  constructor(immediate: boolean) {
    this.#schedule = immediate ? queueMicrotask : setImmediate;
  }

  /** The same session may be added once until it is flushed; it keeps count of that itself. */
  add(session: Flushable): void {
    if (this.#waiting.push(session) === 1) this.#schedule(this.#run);
  }

  readonly #run = (): void => {
    const sessions = this.#waiting;
    this.#waiting = [];
    for (const session of sessions) session.flush();
  };
}
