import type { SockJSStats } from '../base/stats.ts';
import type { Receiver } from './receiver.ts';

/**
 * Holds the receiver of one session, and the previous receiver until its response is delivered. Frames are written to
 * the next receiver only after that, so that the buffered bytes of a client stay bounded, whatever the number of its
 * requests.
 */
export class ReceiverSlot {
  readonly #stats: SockJSStats;
  #receiver: Receiver | undefined;
  /** Detached receiver whose response is still being delivered. */
  #flushing: Receiver | undefined;
  #lastBytesReceived: number | undefined;

  constructor(stats: SockJSStats) {
    this.#stats = stats;
  }

  get attached(): Receiver | undefined {
    return this.#receiver;
  }

  /** Receiver to write to. Undefined while the previous response is being delivered. */
  get ready(): Receiver | undefined {
    return this.#flushing === undefined ? this.#receiver : undefined;
  }

  /** True if no receiver is attached and the last response is still being delivered. */
  get isFlushing(): boolean {
    return this.#receiver === undefined && this.#flushing !== undefined;
  }

  get bufferedBytes(): number {
    return (this.#flushing ?? this.#receiver)?.bufferedBytes ?? 0;
  }

  /** Bytes of the previous response that are still being delivered. */
  get flushingBytes(): number {
    return this.#flushing?.bufferedBytes ?? 0;
  }

  /** False while the client falls behind. */
  get writable(): boolean {
    return this.#receiver?.writable !== false;
  }

  attach(receiver: Receiver): void {
    this.#receiver = receiver;
    this.#lastBytesReceived = undefined;
    this.#stats.receiverAttached();
  }

  /** Detaches the receiver, so that the next one can attach. */
  detach(): void {
    const receiver = this.#receiver;
    this.#release();
    if (receiver !== undefined && receiver.bufferedBytes > 0) this.#flushing = receiver;
  }

  /**
   * Removes a receiver that is gone.
   * @returns false if it was no longer attached
   */
  remove(receiver: Receiver): boolean {
    if (receiver === this.#flushing) this.#flushing = undefined;
    if (receiver !== this.#receiver) return false;
    this.#release();
    return true;
  }

  /** Ends the delivery of a response. Returns false if the receiver was not in delivery. */
  delivered(receiver: Receiver): boolean {
    if (receiver !== this.#flushing) return false;
    this.#flushing = undefined;
    return true;
  }

  /** Aborts the attached receiver. */
  abort(): void {
    const receiver = this.#receiver;
    this.#release();
    receiver?.abort();
  }

  /** Aborts the attached receiver, and the response that is still being delivered. */
  abortAll(): void {
    this.#flushing?.abort();
    this.#flushing = undefined;
    this.abort();
  }

  /** Returns whether bytes have arrived since the last call. True if the receiver does not count them. */
  hasInput(): boolean {
    const bytes = this.#receiver?.bytesReceived;
    const hasInput = bytes === undefined || bytes !== this.#lastBytesReceived;
    this.#lastBytesReceived = bytes;
    return hasInput;
  }

  #release(): void {
    if (this.#receiver === undefined) return;
    this.#receiver = undefined;
    this.#stats.receiverDetached();
  }
}
