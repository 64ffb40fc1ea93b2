import type { SessionTimings } from '../protocol/state-machine.ts';
import type { BackpressureSettings } from './backpressure.ts';

/** Settings that sessions and their registry read. Delays in milliseconds. */
export interface SessionSettings extends SessionTimings, BackpressureSettings {
  /** Limit for messages in one request body or WebSocket message. */
  readonly maxMessagesPerBody: number;
  /** `wait` delays a client over `maxMessagesPerSecond`, `close` closes it with 1008. */
  readonly rateLimitPolicy: 'wait' | 'close';
  /** Interval at which deadlines are checked. Shorter delays shorten it. */
  readonly sessionCheckInterval: number;
  /** Flushes after the running callback. Otherwise once per turn of the event loop. */
  readonly immediateFlush: boolean;
}
