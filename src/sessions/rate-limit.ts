const SECOND_MS = 1000;
/** Tolerance for the rounding of sums. */
const TOLERANCE_MS = 0.001;

/**
 * Rate limit for the input of one client, as a token bucket. A burst may have as many messages as one second allows,
 * and at least one.
 */
export class RateLimit {
  /** Time that one message takes at the limit, in milliseconds. */
  readonly #cost: number;
  /** Time from which the client is within its limit again. */
  #withinRateAt = -Infinity;
  /** Larger burst after time that the process has lost, in milliseconds, and its end. */
  #extraBurst = 0;
  #extraUntil = -Infinity;

  constructor(maxMessagesPerSecond: number) {
    this.#cost = SECOND_MS / maxMessagesPerSecond;
  }

  /** Returns the milliseconds until `count` more messages are within the limit, or 0. */
  delay(count: number, now: number): number {
    const delay = this.#after(count, now) - now;
    return delay > TOLERANCE_MS ? delay : 0;
  }

  /** Counts a message, unless it would exceed the limit. Returns whether it was counted. */
  take(now: number): boolean {
    const after = this.#after(1, now);
    if (after - now > TOLERANCE_MS) return false;
    this.#withinRateAt = after;
    return true;
  }

  /** Counts input that was handled already, also beyond the limit. */
  charge(count: number, now: number): void {
    this.#withinRateAt = this.#after(count, now);
  }

  /** Admits the messages that have arrived while the process could not read. @param lost in milliseconds */
  extend(lost: number, now: number): void {
    this.#extraBurst = lost;
    this.#extraUntil = now + SECOND_MS;
  }

  /** Returns the time from which the client is within its limit after `count` more messages. */
  #after(count: number, now: number): number {
    const extra = now < this.#extraUntil ? this.#extraBurst : 0;
    const earliest = now - Math.max(SECOND_MS, this.#cost) - extra;
    return Math.max(this.#withinRateAt, earliest) + count * this.#cost;
  }
}
