/** A client that does not keep up, for as long as it does not: what waits for it, and who waits for it. */
import type { MemoryBudget } from '../base/memory-budget.ts';
import type { ConnectionInfo } from '../base/connection-info.ts';
import { type SockJSLogger, describeError } from '../base/logging.ts';
import type { SockJSStats } from '../base/stats.ts';
import type { TransportName } from '../base/transport-name.ts';

/** A client that is over its limit of buffered bytes. */
export interface SlowConsumer {
  readonly info: ConnectionInfo;
  readonly transport: TransportName;
  /** The user that `authorize` returned. */
  readonly user: unknown;
  readonly bufferedBytes: number;
}

/** `close`: with code 1013. `drop-oldest`: the oldest messages are not sent. */
export type SlowConsumerPolicy = 'close' | 'drop-oldest';

/** Settings that limit a slow consumer. */
export interface BackpressureSettings {
  readonly highWaterMark: number;
  readonly maxBufferedBytes: number;
  readonly maxTotalBufferedBytes: number;
  readonly slowConsumer: SlowConsumerPolicy | ((client: SlowConsumer) => SlowConsumerPolicy);
}

/** What may wait for one client. */
export function limitOf(settings: BackpressureSettings, budget: MemoryBudget): number {
  const isCrowded = budget.bytes > settings.maxTotalBufferedBytes;
  return isCrowded ? settings.highWaterMark : settings.maxBufferedBytes;
}

/** What becomes of a client beyond its limit. */
export function policyFor(
  client: SlowConsumer,
  { slowConsumer }: BackpressureSettings,
  logger: SockJSLogger,
): SlowConsumerPolicy {
  if (typeof slowConsumer !== 'function') return slowConsumer;
  const { info, transport, user, bufferedBytes } = client;
  try {
    const answer = slowConsumer({ info, transport, user, bufferedBytes });
    return answer === 'drop-oldest' ? answer : 'close';
  } catch (error) {
    logger.error(`slowConsumer failed; its client is closed with 1013: ${describeError(error)}`);
    return 'close';
  }
}

export class Backpressure {
  readonly #stats: SockJSStats;
  readonly #budget: MemoryBudget;
  #bytes = 0;
  readonly #waiting: ((keepsUp: boolean) => void)[] = [];

  constructor(stats: SockJSStats, budget: MemoryBudget) {
    this.#stats = stats;
    this.#budget = budget;
  }

  /** @param bytes that wait now */
  update(bytes: number): void {
    const change = bytes - this.#bytes;
    this.#bytes = bytes;
    this.#stats.buffered(change);
    this.#budget.add(change);
  }

  /** Resolves when it is over: whether the client keeps up. */
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
