/** A client that does not keep up, for as long as it does not: what waits for it, and who waits for it. */
import type { Backlog } from '../backlog.ts';
import { describeError } from '../errors.ts';
import type { Logger, Settings, SlowConsumer, SlowConsumerPolicy } from '../settings.ts';
import type { Stats } from '../stats.ts';

/** What may wait for one client. */
export function limitOf(settings: Settings, backlog: Backlog): number {
  const isCrowded = backlog.bytes > settings.maxTotalBufferedBytes;
  return isCrowded ? settings.highWaterMark : settings.maxBufferedBytes;
}

/** What becomes of a client beyond its limit. */
export function policyFor(
  client: SlowConsumer,
  { slowConsumer }: Settings,
  logger: Logger,
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

export class Lag {
  readonly #stats: Stats;
  readonly #backlog: Backlog;
  #bytes = 0;
  readonly #waiting: ((keepsUp: boolean) => void)[] = [];

  constructor(stats: Stats, backlog: Backlog) {
    this.#stats = stats;
    this.#backlog = backlog;
  }

  /** @param bytes that wait now */
  update(bytes: number): void {
    const change = bytes - this.#bytes;
    this.#bytes = bytes;
    this.#stats.buffered(change);
    this.#backlog.add(change);
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
