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
  #queuedBytes = 0;
  readonly #waitingSenders: ((keepsUp: boolean) => void)[] = [];

  constructor(context: BackpressureContext) {
    this.#context = context;
  }

  /** Part of the buffered bytes that was queued in the session at the last update, after a flush. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /**
   * Counts the bytes that the client has not taken. Called after a flush.
   * @param bytes buffered bytes of the client
   * @param queuedBytes part of them that is queued in the session
   */
  update(bytes: number, queuedBytes: number): void {
    const change = bytes - this.#bytes;
    this.#bytes = bytes;
    this.#queuedBytes = queuedBytes;
    this.#context.stats.buffered(change);
    this.#context.budget.add(change);
  }

  /** True while the process is over `maxTotalBufferedBytes`. */
  get isScarce(): boolean {
    const { settings, budget } = this.#context;
    return budget.bytes > settings.maxTotalBufferedBytes;
  }

  /**
   * Returns the limit that the client exceeds, or undefined. What one handler sends in a burst is not limited by
   * `maxBufferedBytes`, since the client cannot read any of it before the handler returns.
   * @param refused bytes that the client has not taken
   * @param burst bytes queued since the last flush, without the newest message
   */
  exceededLimit(refused: number, burst: number): number | undefined {
    const { highWaterMark, maxBufferedBytes, maxTotalBufferedBytes } = this.#context.settings;
    const { isScarce } = this;
    const limit = isScarce ? highWaterMark : maxBufferedBytes;
    const maxBurst = isScarce ? maxBufferedBytes : maxTotalBufferedBytes;
    return refused > limit || burst > maxBurst ? limit : undefined;
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

  /** Resolves the promises of `wait`. */
  release(keepsUp: boolean): void {
    for (const resolve of this.#waitingSenders.splice(0)) resolve(keepsUp);
  }

  /** Ends the tracking of a client that keeps up. */
  end(): void {
    this.update(0, 0);
    this.release(true);
  }
}
