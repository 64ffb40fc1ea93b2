/**
 * Receiver of one session, and the one before it for as long as its response is being delivered. The next
 * receiver is written to only after that, so that the buffered bytes of a client are bounded however many
 * requests it sends.
 */
import type { SockJSStats } from '../base/stats.ts';
import type { Receiver } from './receiver.ts';

export class ReceiverSlot {
  readonly #stats: SockJSStats;
  #receiver: Receiver | undefined;
  #flushing: Receiver | undefined;
  #bytesSeen: number | undefined;

  constructor(stats: SockJSStats) {
    this.#stats = stats;
  }

  /** Receiver to write to. Undefined while the response before it is being delivered. */
  get ready(): Receiver | undefined {
    return this.#flushing === undefined ? this.#receiver : undefined;
  }

  /** No receiver is attached, and the client is still taking its last response. */
  get isFlushing(): boolean {
    return this.#receiver === undefined && this.#flushing !== undefined;
  }

  get bufferedBytes(): number {
    return (this.#flushing ?? this.#receiver)?.bufferedBytes ?? 0;
  }

  /** False while the client does not keep up. */
  get writable(): boolean {
    return this.#receiver?.writable !== false;
  }

  attach(receiver: Receiver): void {
    this.#receiver = receiver;
    this.#bytesSeen = undefined;
    this.#stats.receiverAttached();
  }

  /** Makes room for the next receiver. */
  detach(): void {
    const receiver = this.#receiver;
    this.#release();
    if (receiver !== undefined && receiver.bufferedBytes > 0) this.#flushing = receiver;
  }

  /**
   * Removes a receiver that is gone.
   * @returns false if it was not attached any more
   */
  remove(receiver: Receiver): boolean {
    if (receiver === this.#flushing) this.#flushing = undefined;
    if (receiver !== this.#receiver) return false;
    this.#release();
    return true;
  }

  /** @returns false for a receiver whose response was not being delivered */
  delivered(receiver: Receiver): boolean {
    if (receiver !== this.#flushing) return false;
    this.#flushing = undefined;
    return true;
  }

  /** Starts the write timeout of the last response. */
  watchProgress(): void {
    this.#flushing?.watchProgress();
  }

  /** Drops the connection of the attached receiver. */
  abort(): void {
    const receiver = this.#receiver;
    this.#release();
    receiver?.abort();
  }

  /** @returns whether bytes have come since the last call; true where the receiver cannot know */
  hasInput(): boolean {
    const bytes = this.#receiver?.bytesReceived;
    const hasInput = bytes === undefined || bytes !== this.#bytesSeen;
    this.#bytesSeen = bytes;
    return hasInput;
  }

  #release(): void {
    if (this.#receiver === undefined) return;
    this.#receiver = undefined;
    this.#stats.receiverDetached();
  }
}
