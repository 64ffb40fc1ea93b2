/**
 * Where the frames of one session go: to the receiver that is attached. On HTTP it is let go when it is
 * full, and the next one is written to when its client has taken all of the last answer, not before.
 */
import { MESSAGE_OVERHEAD_BYTES } from '../protocol/message.ts';
import type { SessionStateMachine } from '../protocol/state-machine.ts';
import type { SockJSStats } from '../base/stats.ts';
import type { Receiver } from './receiver.ts';

export class ReceiverSlot {
  readonly #core: SessionStateMachine;
  readonly #stats: SockJSStats;
  readonly #isRenewable: boolean;
  #receiver: Receiver | undefined;
  /** Let go with its last frame still on its way: the client is busy, not gone. */
  #leaving: Receiver | undefined;
  /** What the receiver had received when it was last asked. */
  #bytesSeen: number | undefined;

  /** @param isRenewable whether one receiver follows another: true on HTTP */
  constructor(core: SessionStateMachine, stats: SockJSStats, isRenewable: boolean) {
    this.#core = core;
    this.#stats = stats;
    this.#isRenewable = isRenewable;
  }

  get isAttached(): boolean {
    return this.#receiver !== undefined;
  }

  /** Nobody is attached, but a client is still taking its last answer. */
  get isLeaving(): boolean {
    return this.#receiver === undefined && this.#leaving !== undefined;
  }

  /** Written, but not yet taken by the network; in bytes. */
  get bufferedBytes(): number {
    return (this.#leaving ?? this.#receiver)?.bufferedBytes ?? 0;
  }

  /** False while the client does not keep up. */
  get writable(): boolean {
    return this.#receiver?.writable !== false;
  }

  attach(receiver: Receiver): void {
    this.#receiver = receiver;
    this.#stats.receiverAttached();
  }

  /** @returns whether it was attached; if not, it had been let go before, or was never there */
  detach(receiver: Receiver): boolean {
    if (receiver === this.#leaving) this.#leaving = undefined;
    if (receiver !== this.#receiver) return false;
    this.#release();
    return true;
  }

  /** @returns whether it was the one that was still on its way */
  hasLeft(receiver: Receiver): boolean {
    if (receiver !== this.#leaving) return false;
    this.#leaving = undefined;
    return true;
  }

  /** A client has been taking its last answer for a while. */
  expectProgress(): void {
    this.#leaving?.expectProgress();
  }

  /** Drops the connection of whoever is attached. */
  cutOff(): void {
    const receiver = this.#receiver;
    this.#release();
    receiver?.abort();
  }

  /** Whether anything has come in since the last time, as far as a receiver can tell. */
  hasHeard(): boolean {
    const bytes = this.#receiver?.bytesReceived;
    const hasHeard = bytes === undefined || bytes !== this.#bytesSeen;
    this.#bytesSeen = bytes;
    return hasHeard;
  }

  /** Writes what the session has to say, as far as the receiver takes it. */
  write(now: number): void {
    if (this.#leaving !== undefined) return;
    const receiver = this.#receiver;
    if (receiver === undefined) return;
    while (receiver.writable) {
      const { queuedBytes } = this.#core;
      const frame = this.#core.nextFrame(now);
      if (frame === undefined) return;
      receiver.write(frame);
      if (frame.type === 'messages') {
        const { length } = frame.messages;
        this.#stats.sent(length, queuedBytes - length * MESSAGE_OVERHEAD_BYTES, now);
      }
      const isLast = frame.type === 'close';
      const isFull = this.#isRenewable && (isLast || receiver.full || this.#core.isStale(now));
      // A WebSocket is not let go until it has closed, so that its closing is watched over.
      if (isLast || isFull) receiver.end();
      if (isFull) {
        this.#letGo(receiver, now);
        return;
      }
    }
  }

  #letGo(receiver: Receiver, now: number): void {
    this.#release();
    this.#core.detach(now);
    if (receiver.bufferedBytes > 0) this.#leaving = receiver;
  }

  #release(): void {
    if (this.#receiver === undefined) return;
    this.#receiver = undefined;
    this.#stats.receiverDetached();
  }
}
