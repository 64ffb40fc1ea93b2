import type { LinkUser } from './relay-call.ts';
import type { RelayLink } from './relay-link.ts';

/** Time in which a node responds to a probe, in milliseconds. */
const TIMEOUT_MS = 1000;

/** Finds out whether a node responds. */
export class ProbeCall implements LinkUser {
  readonly isPending = false;
  readonly #onResult: (responds: boolean) => void;
  readonly #timer: NodeJS.Timeout;
  #hasResult = false;

  /** @param onResult called once */
  constructor(onResult: (responds: boolean) => void) {
    this.#onResult = onResult;
    this.#timer = setTimeout(() => this.#finish(false), TIMEOUT_MS);
  }

  start(link: RelayLink): void {
    link.probe((responds) => this.#finish(responds));
  }

  fail(): void {
    this.#finish(false);
  }

  addSilence(): void {}

  #finish(responds: boolean): void {
    if (this.#hasResult) return;
    this.#hasResult = true;
    clearTimeout(this.#timer);
    this.#onResult(responds);
  }
}
