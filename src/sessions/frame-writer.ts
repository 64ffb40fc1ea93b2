import { CLOSE_REASONS } from '../base/close-reasons.ts';
import type { ClientMemory } from '../base/memory-budget.ts';
import { type Frame, HEARTBEAT_FRAME } from '../protocol/frame.ts';
import { MESSAGE_OVERHEAD_BYTES, type Message } from '../protocol/message.ts';
import type { SessionStateMachine } from '../protocol/state-machine.ts';
import { Backpressure, type SlowConsumer } from './backpressure.ts';
import type { ReceiverSlot } from './receiver-slot.ts';
import type { Receiver } from './receiver.ts';
import type { SessionContext } from './session-context.ts';

function isShared(frame: Frame): boolean {
  return frame.type === 'messages' && frame.isLong && frame.messages.every((one) => one.isShared);
}

/** The session, as the function `slowConsumer` receives it, and its part of the memory. */
interface WriterClient extends SlowConsumer {
  readonly memory: ClientMemory;
}

/** Writes the frames of one session to its receiver, and limits the bytes that are buffered for its client. */
export class FrameWriter {
  readonly #context: SessionContext;
  readonly #machine: SessionStateMachine;
  readonly #slot: ReceiverSlot;
  readonly #client: WriterClient;
  readonly #requestFlush: () => void;
  /** Set while the client falls behind, and until the end of the session if it does then. */
  #backpressure: Backpressure | undefined;
  /** True if the last frame is that of a long broadcast, whose bytes all receivers share. */
  #isLastFrameShared = false;

  /** @param requestFlush called when a flush is due, because the client's buffer has to be evicted */
  constructor(
    context: SessionContext,
    machine: SessionStateMachine,
    slot: ReceiverSlot,
    client: WriterClient,
    requestFlush: () => void,
  ) {
    this.#context = context;
    this.#machine = machine;
    this.#slot = slot;
    this.#client = client;
    this.#requestFlush = requestFlush;
  }

  /** Bytes buffered for the client, in the session and in its receiver. */
  get bufferedBytes(): number {
    return this.#machine.queuedBytes + this.#slot.bufferedBytes;
  }

  /**
   * Queues a message. Returns false if the sender should wait for a drain, or the session is not open.
   * @param isPostponed whether messages of an earlier handler wait for their flush
   */
  send(message: Message, isPostponed: boolean): boolean {
    const previous = this.#backpressure;
    if (isPostponed && previous !== undefined && !this.#mayWait(message)) {
      this.write(this.#context.clock());
      this.#count(previous);
    }
    if (!this.#machine.send(message)) return false;
    if (previous === undefined && this.#keepsUp) return true;
    this.#applyBackpressure(message);
    return false;
  }

  /** Writes the frames that are due, while the receiver takes them. */
  write(now: number): void {
    const machine = this.#machine;
    const receiver = this.#slot.ready;
    if (receiver === undefined) return;
    while (receiver.writable) {
      const { queuedBytes } = machine;
      const frame = machine.nextFrame(now);
      if (frame === undefined) return;
      receiver.write(frame);
      this.#isLastFrameShared = isShared(frame);
      if (frame.type === 'messages') {
        const { length } = frame.messages;
        const bytes = queuedBytes - machine.queuedBytes - length * MESSAGE_OVERHEAD_BYTES;
        this.#context.stats.sent(length, bytes, now);
      }
      const isLast = frame.type === 'close' || receiver.full || machine.isStale(now);
      if (isLast) return this.#endReceiver(receiver, now);
    }
  }

  /** Ends an HTTP response that waits for frames, so that the client sends its next request. */
  renewReceiver(now: number): void {
    const receiver = this.#slot.ready;
    if (receiver?.renewable !== true || this.#machine.state !== 'open') return;
    receiver.write(HEARTBEAT_FRAME);
    this.#endReceiver(receiver, now);
  }

  /**
   * Counts what the client has not taken. Called after each flush.
   * @returns true if the client keeps up again
   */
  checkDrain(): boolean {
    const backpressure = this.#backpressure;
    if (backpressure === undefined) return false;
    if (!this.#keepsUp) {
      this.#count(backpressure);
      return false;
    }
    this.#backpressure = undefined;
    backpressure.end();
    return true;
  }

  /** Resolves to true once the client keeps up, or to false if the session ends before that. */
  whenDrained(): Promise<boolean> {
    if (this.#machine.closeReason !== undefined) return Promise.resolve(false);
    return this.#backpressure?.wait() ?? Promise.resolve(true);
  }

  /** Called when the session has ended. Its client may still read what is buffered for it. */
  onEnd(): void {
    this.#backpressure?.release(false);
    if (this.#backpressure !== undefined) this.#count(this.#backpressure);
  }

  /** Called when nothing more is sent. */
  onClosed(): void {
    this.#slot.abort();
    this.#backpressure?.end();
    this.#backpressure = undefined;
  }

  #endReceiver(receiver: Receiver, now: number): void {
    receiver.end();
    // A WebSocket stays attached until it has closed, so that a deadline limits its close handshake.
    if (!receiver.renewable) return;
    this.#slot.detach();
    this.#machine.detach(now);
  }

  get #keepsUp(): boolean {
    const { highWaterMark } = this.#context.settings;
    const isDelivered = this.#slot.flushingBytes < highWaterMark;
    return this.#machine.queuedBytes < highWaterMark && isDelivered && this.#slot.writable;
  }

  #count(backpressure: Backpressure): void {
    if (!this.#update(backpressure)) this.#giveUp();
  }

  #update(backpressure: Backpressure): boolean {
    const sharedBytes = this.#isLastFrameShared ? this.#slot.bufferedBytes : 0;
    return backpressure.update(this.bufferedBytes, this.#machine.queuedBytes, sharedBytes);
  }

  /**
   * Returns whether a message may join the messages with a postponed flush. An application that sends more than can be
   * flushed is slowed down by writing at once, so that the queues stay short. A broadcast takes little memory.
   */
  #mayWait(message: Message): boolean {
    const { maxBufferedBytes } = this.#context.settings;
    const canWrite = this.#slot.ready?.writable === true;
    return canWrite && message.isShared && this.#machine.queuedBytes <= maxBufferedBytes;
  }

  #applyBackpressure(newest: Message): void {
    const machine = this.#machine;
    const { memory } = this.#client;
    this.#backpressure ??= new Backpressure(this.#context, memory, () => this.#giveUp());
    const backpressure = this.#backpressure;
    const burst = machine.queuedBytes - backpressure.queuedBytes;
    const limit = backpressure.exceededLimit(this.bufferedBytes - burst, burst, newest.size);
    if (limit === undefined) return;
    if (this.#dropOldest(backpressure, limit)) this.#update(backpressure);
    else machine.fail(this.#context.clock(), CLOSE_REASONS.slowConsumer);
  }

  /** Gives up what is buffered over `highWaterMark`, since another client needs the memory. */
  #giveUp(): void {
    const backpressure = this.#backpressure;
    const { clock, settings } = this.#context;
    if (backpressure === undefined) return;
    backpressure.forget();
    // Bytes that the receiver has taken cannot be dropped.
    if (!this.#dropOldest(backpressure, settings.highWaterMark) || !this.#update(backpressure)) {
      // A close frame would follow what is buffered, and that has to be freed.
      this.#machine.interrupt(clock(), CLOSE_REASONS.slowConsumer);
      this.#slot.abortAll();
      this.#update(backpressure);
    }
    this.#requestFlush();
  }

  /** Drops the oldest messages over a limit, if that is the policy. Returns false if the client is to be closed. */
  #dropOldest(backpressure: Backpressure, limit: number): boolean {
    if (backpressure.policyFor(this.#client, limit) === 'close') return false;
    const machine = this.#machine;
    this.#context.stats.dropped(machine.dropOldest(limit - this.#slot.bufferedBytes));
    return true;
  }
}
