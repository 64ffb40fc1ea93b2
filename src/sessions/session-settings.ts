import type { MemorySettings } from '../base/memory-budget.ts';
import type { SessionTimings } from '../protocol/state-machine.ts';
import type { BackpressureSettings } from './backpressure.ts';

/** Settings that sessions and their registry read. Times in milliseconds. */
export interface SessionSettings extends SessionTimings, BackpressureSettings, MemorySettings {
  /** Limit for messages in one request body or WebSocket message. */
  readonly maxMessagesPerBody: number;
  /** `wait` delays a client over `maxMessagesPerSecond`, `close` closes it with 1008. */
  readonly rateLimitPolicy: 'wait' | 'close';
  /** Maximum interval at which deadlines are checked. Short delays shorten it. */
  readonly sessionCheckInterval: number;
  /** True to flush after the running callback, false to flush once per turn of the event loop. */
  readonly immediateFlush: boolean;
}
