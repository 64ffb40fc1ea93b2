import { withDeadline } from './with-deadline.ts';

/** Time in which nodes that reconnect to a restarted engine store their records again. */
const RECOVERY_MS = 2000;

/** Whether the engine can be used, and whether its records are complete. */
export class Availability {
  readonly #clock: () => number;
  #isUp = false;
  #recoveryEnds = -Infinity;
  #whenUp: Promise<void> | undefined;
  #onUp: () => void = () => {};

  /** @param clock returns the time in milliseconds */
  constructor(clock: () => number) {
    this.#clock = clock;
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /** True for 2 s after the engine has lost its records. A missing record may then be stored again soon. */
  get isRecovering(): boolean {
    return this.#clock() < this.#recoveryEnds;
  }

  /**
   * Waits until the engine is up.
   * @throws SockJSError `ERR_BACKPLANE` after 2 s
   */
  async wait(): Promise<void> {
    if (this.#isUp) return;
    this.#whenUp ??= new Promise((resolve) => {
      this.#onUp = resolve;
    });
    await withDeadline(this.#whenUp);
  }

  setUp(): void {
    this.#isUp = true;
    this.#onUp();
    this.#whenUp = undefined;
  }

  setDown(): void {
    this.#isUp = false;
  }

  startRecovery(): void {
    this.#recoveryEnds = this.#clock() + RECOVERY_MS;
  }
}
