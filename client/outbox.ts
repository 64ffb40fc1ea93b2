/**
 * Messages of the application. A message is queued until a transport takes it, and then unconfirmed until its delivery
 * is known. The queue survives reconnects.
 */

/** Messages that a transport has taken at the same time. */
interface Batch {
  readonly texts: readonly string[];
  readonly bytes: number;
  readonly takenAt: number;
}

/** Limits for one body, far below those of the server, since escapes may make its text six times as long. */
const MAX_BODY_BYTES = 256 * 1024;
const MAX_BODY_MESSAGES = 1000;

/** Returns the length in UTF-8. For short texts a loop is fifty times faster than a `TextEncoder`. */
export function byteLength(text: string): number {
  let bytes = 0;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    // Each half of a surrogate pair takes two bytes.
    bytes += unit < 0x80 ? 1 : unit < 0x800 || unit >> 11 === 0xd800 >> 11 ? 2 : 3;
  }
  return bytes;
}

export class Outbox {
  #queue: string[] = [];
  #unconfirmed: Batch[] = [];
  #unconfirmedBytes = 0;
  readonly #maxBytes: number;
  queuedBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Queues a message. @param buffered bytes that are buffered. @returns false if it exceeds the limit */
  push(text: string, buffered: number): boolean {
    const bytes = byteLength(text);
    if (buffered + bytes > this.#maxBytes) return false;
    this.#queue.push(text);
    this.queuedBytes += bytes;
    return true;
  }

  /** Runs a callback, and queues the messages that it sends before the others. */
  sendFirst(callback: () => void): void {
    const others = this.#queue;
    this.#queue = [];
    callback();
    this.#queue = this.#queue.concat(others);
  }

  /** Takes queued messages as a JSON array. They are unconfirmed from now on. @returns undefined without any */
  take(takenAt: number): string | undefined {
    let bytes = 0;
    let count = 0;
    for (const text of this.#queue) {
      const next = bytes + byteLength(text);
      if (count === MAX_BODY_MESSAGES || (count > 0 && next > MAX_BODY_BYTES)) break;
      bytes = next;
      count += 1;
    }
    if (count === 0) return undefined;
    const texts = this.#queue.splice(0, count);
    this.queuedBytes -= bytes;
    this.#unconfirmedBytes += bytes;
    this.#unconfirmed.push({ texts, bytes, takenAt });
    while (this.#unconfirmedBytes > this.#maxBytes) this.#forget();
    return JSON.stringify(texts);
  }

  /** Forgets the messages that were taken up to this time, since they are delivered. */
  confirm(until: number): void {
    while ((this.#unconfirmed[0]?.takenAt ?? NaN) <= until) this.#forget();
  }

  /** Takes the messages whose delivery is unknown. */
  takeUncertain(): string[] {
    const texts = this.#unconfirmed.flatMap((batch) => batch.texts);
    this.#unconfirmed = [];
    this.#unconfirmedBytes = 0;
    return texts;
  }

  /** Returns the unconfirmed messages to the queue, since they are not delivered. */
  restore(): void {
    this.queuedBytes += this.#unconfirmedBytes;
    this.#queue = this.takeUncertain().concat(this.#queue);
  }

  #forget(): void {
    this.#unconfirmedBytes -= this.#unconfirmed.shift()?.bytes ?? 0;
  }
}
