/** Limits, policy and state for slow consumers. */
import type { ConnectionInfo } from '../base/connection-info.ts';
import { type SockJSLogger, describeError } from '../base/logging.ts';
import type { MemoryBudget } from '../base/memory-budget.ts';
import type { SockJSStats } from '../base/stats.ts';
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
  /** Limit for the buffered bytes of the process. Above it, the limit of each client is `highWaterMark`. */
  readonly maxTotalBufferedBytes: number;
  readonly slowConsumer: SlowConsumerPolicy | ((client: SlowConsumer) => SlowConsumerPolicy);
}

/** Part of the session context that backpressure needs. */
export interface BackpressureContext {
  readonly settings: BackpressureSettings;
  readonly stats: SockJSStats;
  readonly budget: MemoryBudget;
  readonly logger: SockJSLogger;
}

/** Tracks a slow consumer: its buffered bytes and the senders that wait for drain. */
export class Backpressure {
  readonly #context: BackpressureContext;
  #bytes = 0;
  readonly #waitingSenders: ((keepsUp: boolean) => void)[] = [];

  constructor(context: BackpressureContext) {
    this.#context = context;
  }

  /** @param bytes current number of buffered bytes of the client */
  update(bytes: number): void {
    const change = bytes - this.#bytes;
    this.#bytes = bytes;
    this.#context.stats.buffered(change);
    this.#context.budget.add(change);
  }

  /**
   * Updates the buffered bytes after a message was queued.
   * @param newestBytes size of that message
   * @returns the limit that the buffered bytes exceed, or undefined
   */
  exceededLimit(bytes: number, newestBytes: number): number | undefined {
    this.update(bytes);
    const { settings, budget } = this.#context;
    const isScarce = budget.bytes > settings.maxTotalBufferedBytes;
    const limit = isScarce ? settings.highWaterMark : settings.maxBufferedBytes;
    // A single message may be longer than the limit, unless the messages before it already exceed it.
    const isExceeded = bytes > limit && (newestBytes <= limit || bytes - newestBytes > limit);
    return isExceeded ? limit : undefined;
  }

  /** Returns the policy for this client. An error of a `slowConsumer` function is logged, and the policy is `close`. */
  policyFor({ info, transport, user, bufferedBytes }: SlowConsumer): SlowConsumerPolicy {
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
