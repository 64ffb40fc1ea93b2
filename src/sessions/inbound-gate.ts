/** Cause of a delay of input. */
export type InputDelay = 'opening' | 'rateLimit';

const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** Delays input while `onOpen` is pending or the client is over its rate limit, until the session ends. */
export class InboundGate {
  #isAwaited = false;
  #isReleased = false;
  #wake: (() => void) | undefined;

  /** True while input is delayed, so that nothing from the client is read. */
  get isAwaited(): boolean {
    return this.#isAwaited;
  }

  /**
   * Waits for `opening`, then until the delay of the rate limit is 0.
   * @param rateLimitDelay returns the delay in milliseconds, which grows with input that was already read
   * @returns a promise of true, or of false at once while another call waits, since a client could pile up requests
   */
  async pass(opening: Promise<void> | undefined, rateLimitDelay: () => number): Promise<boolean> {
    if (this.#isAwaited) return false;
    this.#isAwaited = true;
    if (opening !== undefined) await this.#settled(opening);
    for (let delay = rateLimitDelay(); delay > 0; delay = rateLimitDelay()) {
      if (this.#isReleased) break;
      // oxlint-disable-next-line no-await-in-loop -- each delay depends on the input during the previous one
      await this.#delay(delay);
    }
    this.#isAwaited = false;
    return true;
  }

  /** Ends all delays, since the session has ended. */
  release(): void {
    this.#isReleased = true;
    this.#wake?.();
  }

  async #settled(opening: Promise<void>): Promise<void> {
    if (this.#isReleased) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      void opening.then(resolve);
    });
  }

  async #delay(milliseconds: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.min(milliseconds, MAX_TIMEOUT_MS));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
