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
  readonly #waitingSenders: ((keepsUp: boolean) => void)[] = [];

  /** @param onEvicted applies the policy with the limit `highWaterMark`, since another client needs the memory */
  constructor(context: BackpressureContext, memory: ClientMemory, onEvicted: () => void) {
    this.#context = context;
    this.#reservation = memory.reserve('output', onEvicted);
  }

  /** @param bytes current number of buffered bytes of the client, which has not grown */
  update(bytes: number): void {
    const isOver = bytes > this.#context.settings.highWaterMark;
    this.#reservation.resize(bytes, isOver ? Math.min(bytes, this.#reservation.bytes) : 0);
  }

  /**
   * Updates the buffered bytes after a message was queued.
   * @param newestBytes size of that message
   * @returns the limit that the buffered bytes exceed, or undefined
   */
  exceededLimit(bytes: number, newestBytes: number): number | undefined {
    const { highWaterMark, maxBufferedBytes } = this.#context.settings;
    // A single message may be longer than the limit, unless the messages before it already exceed it.
    const isOver = (limit: number): boolean =>
      bytes > limit && (newestBytes <= limit || bytes - newestBytes > limit);
    // Bytes up to `highWaterMark` and a single message are never given up, so they do not count.
    const hasRoom = this.#reservation.resize(bytes, isOver(highWaterMark) ? bytes : 0);
    const limit = hasRoom ? maxBufferedBytes : highWaterMark;
    return isOver(limit) ? limit : undefined;
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

  /** Ends the tracking, and resolves the promises of `wait`. */
  end(keepsUp: boolean): void {
    this.update(0);
    for (const resolve of this.#waitingSenders) resolve(keepsUp);
  }
}
