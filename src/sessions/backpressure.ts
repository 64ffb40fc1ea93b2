/** Limits and policy for slow consumers, and what is kept while a client is one. */
import type { ConnectionInfo } from '../base/connection-info.ts';
import { describeError } from '../base/logging.ts';
import type { MemoryBudget } from '../base/memory-budget.ts';
import type { SockJSLogger } from '../base/logging.ts';
import type { TransportName } from '../base/transport-name.ts';
import type { SockJSStats } from '../base/stats.ts';

/** A client whose buffered bytes are over the limit. */
export interface SlowConsumer {
  readonly info: ConnectionInfo;
  readonly transport: TransportName;
  /** Result of `authorize`. */
  readonly user: unknown;
  readonly bufferedBytes: number;
}

/** `close` closes the client with 1013. `drop-oldest` drops the oldest messages that wait for it. */
export type SlowConsumerPolicy = 'close' | 'drop-oldest';

/** Settings for slow consumers. Sizes in bytes. */
export interface BackpressureSettings {
  /** `send` returns false from this many queued bytes on. */
  readonly highWaterMark: number;
  /** Limit for the buffered bytes of one client. */
  readonly maxBufferedBytes: number;
  /** Limit for the whole process. Beyond it `highWaterMark` is the limit of each client. */
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
  readonly #waiting: ((keepsUp: boolean) => void)[] = [];

  constructor(context: BackpressureContext) {
    this.#context = context;
  }

  /** @param bytes buffered bytes of the client now */
  update(bytes: number): void {
    const change = bytes - this.#bytes;
    this.#bytes = bytes;
    this.#context.stats.buffered(change);
    this.#context.budget.add(change);
  }

  /**
   * Updates the buffered bytes after a message was queued.
   * @returns the limit that they exceed, or undefined
   */
  exceededLimit(bytes: number, newestBytes: number): number | undefined {
    this.update(bytes);
    const { settings, budget } = this.#context;
    const isScarce = budget.bytes > settings.maxTotalBufferedBytes;
    const limit = isScarce ? settings.highWaterMark : settings.maxBufferedBytes;
    // One message may exceed the limit on its own, as long as nothing piles up behind it.
    const isExceeded = bytes > limit && (newestBytes <= limit || bytes - newestBytes > limit);
    return isExceeded ? limit : undefined;
  }

  /** @returns the policy for this client. A function that throws is logged and counts as `close` */
  policyFor({ info, transport, user, bufferedBytes }: SlowConsumer): SlowConsumerPolicy {
    const { settings, logger } = this.#context;
    const { slowConsumer } = settings;
    if (typeof slowConsumer !== 'function') return slowConsumer;
    try {
      const policy = slowConsumer({ info, transport, user, bufferedBytes });
      return policy === 'drop-oldest' ? policy : 'close';
    } catch (error) {
      logger.error(`slowConsumer failed; its client is closed with 1013: ${describeError(error)}`);
      return 'close';
    }
  }

  /** @returns a promise of true once the client keeps up, or of false if its session ends before that */
  wait(): Promise<boolean> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  end(keepsUp: boolean): void {
    this.update(0);
    for (const resolve of this.#waiting) resolve(keepsUp);
  }
}
