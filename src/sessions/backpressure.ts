/** Limits, policy and state for slow consumers. */
import type { ConnectionInfo } from '../base/connection-info.ts';
import { type SockJSLogger, describeError } from '../base/logging.ts';
import type { ClientMemory, MemoryReservation } from '../base/memory-budget.ts';
import { ignoreRejection } from '../base/thenable.ts';
import type { TransportName } from '../base/transport-name.ts';

/** A client over the limit for buffered bytes, as the function `slowConsumer` receives it. */
export interface SlowConsumer {
  /** The request that opened the session. */
  readonly info: ConnectionInfo;
  readonly transport: TransportName;
  /** Result of the setting `authorize`. */
  readonly user: unknown;
  /** Bytes buffered for the client, each message with 100 bytes of overhead. */
  readonly bufferedBytes: number;
}

/**
 * Treatment of a client over the limit for buffered bytes. `close` closes it with 1013. `drop-oldest` drops its oldest
 * buffered messages.
 */
export type SlowConsumerPolicy = 'close' | 'drop-oldest';

/** Settings for slow consumers. Sizes in bytes. */
export interface BackpressureSettings {
  /** Queued bytes from which `send` returns false. */
  readonly highWaterMark: number;
  /** Limit for the buffered bytes of one client. */
  readonly maxBufferedBytes: number;
  /** Limit for the bytes that one handler sends to a client in a burst. */
  readonly maxTotalBufferedBytes: number;
  readonly slowConsumer: SlowConsumerPolicy | ((client: SlowConsumer) => SlowConsumerPolicy);
}

/** Part of the session context that backpressure needs. */
export interface BackpressureContext {
  readonly settings: BackpressureSettings;
  readonly logger: SockJSLogger;
}

/** Tracks a slow consumer: its buffered bytes and the senders that wait for drain. */
export class Backpressure {
  readonly #context: BackpressureContext;
  readonly #reservation: MemoryReservation;
  #queuedBytes = 0;
  #newestBytes = 0;
  readonly #waitingSenders: ((keepsUp: boolean) => void)[] = [];

  /** @param onEvicted applies the policy with the limit `highWaterMark`, since another client needs the memory */
  constructor(context: BackpressureContext, memory: ClientMemory, onEvicted: () => void) {
    this.#context = context;
    this.#reservation = memory.reserve('output', onEvicted);
  }

  /** Part of the buffered bytes that was queued in the session at the last update, after a flush. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /**
   * Counts the bytes that the client has not taken. Called after a flush.
   * @param bytes buffered bytes of the client
   * @param queuedBytes part of them that is queued in the session
   * @param sharedBytes part of them that the receivers of a broadcast share, which takes memory once
   * @returns false if the memory is scarce, and the buffer of this client over `highWaterMark` has to be evicted
   */
  update(bytes: number, queuedBytes: number, sharedBytes = 0): boolean {
    this.#queuedBytes = queuedBytes;
    const { highWaterMark } = this.#context.settings;
    const own = bytes - sharedBytes;
    const withoutNewest = this.#newestBytes > highWaterMark ? own - this.#newestBytes : own;
    // Bytes up to `highWaterMark` and a single message are never evicted, so they do not count.
    return this.#reservation.resize(bytes, withoutNewest > highWaterMark ? own : 0);
  }

  /** Counts nothing until the next update, which then has to find room for all that is left. */
  forget(): void {
    this.#reservation.release();
  }

  /**
   * Returns the limit that the client exceeds, or undefined. What one handler sends in a burst is not limited by
   * `maxBufferedBytes`, since the client cannot read any of it before the handler returns.
   * @param refused bytes that the client has not taken
   * @param burst bytes queued since the last flush, with the newest message
   * @param newest size of the newest message
   */
  exceededLimit(refused: number, burst: number, newest: number): number | undefined {
    this.#newestBytes = newest;
    const { maxBufferedBytes, maxTotalBufferedBytes } = this.#context.settings;
    const isOver = refused > maxBufferedBytes || burst - newest > maxTotalBufferedBytes;
    return isOver ? maxBufferedBytes : undefined;
  }

  /** Returns the policy for this client. An error of a `slowConsumer` function is logged, and the policy is `close`. */
  policyFor(client: SlowConsumer, limit: number): SlowConsumerPolicy {
    const policy = this.#evaluatePolicy(client);
    if (policy === 'close') {
      this.#context.logger.info(
        `Closed a client with 1013: over ${limit} bytes buffered; see maxBufferedBytes.`,
      );
    }
    return policy;
  }

  #evaluatePolicy({ info, transport, user, bufferedBytes }: SlowConsumer): SlowConsumerPolicy {
    const { settings, logger } = this.#context;
    const { slowConsumer } = settings;
    if (typeof slowConsumer !== 'function') return slowConsumer;
    try {
      const policy = slowConsumer({ info, transport, user, bufferedBytes });
      ignoreRejection(policy); // Of an async function, whose policy would come too late.
      return policy === 'drop-oldest' ? policy : 'close';
    } catch (error) {
      logger.error(`slowConsumer failed; its client is closed with 1013: ${describeError(error)}`);
      return 'close';
    }
  }

  /** Resolves to true once the client keeps up, or to false if its session ends before that. */
  wait(): Promise<boolean> {
    return new Promise((resolve) => {
      this.#waitingSenders.push(resolve);
    });
  }

  /** Resolves the promises of `wait`. */
  release(keepsUp: boolean): void {
    for (const resolve of this.#waitingSenders.splice(0)) resolve(keepsUp);
  }

  /** Ends the tracking of a client that keeps up. */
  end(): void {
    this.#reservation.release();
    this.release(true);
  }
}
