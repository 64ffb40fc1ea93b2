/**
 * Where those wait who may not send yet: while an asynchronous `onOpen` is under way, or because their
 * client was too quick.
 */
const LONGEST_TIMEOUT = 2 ** 31 - 1;

export class InboundGate {
  #isAwaited = false;
  #isOpen = false;
  #wake: (() => void) | undefined;

  /** Whether somebody waits here: then nobody reads what the client sends. */
  get isAwaited(): boolean {
    return this.#isAwaited;
  }

  /**
   * Waits for `opening`, and then for as many milliseconds as `debt` says.
   * @returns false at once if somebody waits already, or a client could pile up requests behind it
   */
  async pass(opening: Promise<void> | undefined, debt: () => number): Promise<boolean> {
    if (this.#isAwaited) return false;
    this.#isAwaited = true;
    await opening;
    const milliseconds = debt();
    if (milliseconds > 0 && !this.#isOpen) await this.#wait(milliseconds);
    this.#isAwaited = false;
    return true;
  }

  /** The session is over: nobody has to wait for it. */
  open(): void {
    this.#isOpen = true;
    this.#wake?.();
  }

  async #wait(milliseconds: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.min(milliseconds, LONGEST_TIMEOUT));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
