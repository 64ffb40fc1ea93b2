import type { LinkUser } from './relay-call.ts';
import type { RelayLink } from './relay-link.ts';
import type { RelayStream, StreamListener } from './relay-stream.ts';

/** A request to end the response to a receiving request, without a client. */
export class ReleaseCall implements LinkUser, StreamListener {
  readonly isPending = false;
  readonly #head: string;
  readonly #onReleased: () => void;
  #stream: RelayStream | undefined;

  /** @param onReleased called when the link is no longer needed */
  constructor(head: string, onReleased: () => void) {
    this.#head = head;
    this.#onReleased = onReleased;
  }

  start(link: RelayLink): void {
    this.#stream = link.open(this);
    this.#stream?.request(this.#head, '');
    if (this.#stream === undefined) this.#onReleased();
  }

  fail(): void {
    this.#onReleased();
  }

  addSilence(): void {}

  onResponse(): void {
    this.#stream?.close();
    this.#onReleased();
  }

  onUnknown(): void {
    this.#onReleased();
  }

  onData(): void {}

  onSent(): void {}

  onDelivered(): void {}

  onAbort(): void {
    this.#onReleased();
  }
}
