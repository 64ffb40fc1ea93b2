import type { MemorySettings } from '../base/memory-budget.ts';
import type { SessionTimings } from '../protocol/state-machine.ts';
import type { BackpressureSettings } from './backpressure.ts';
import type { HandlerSettings } from './handler-runner.ts';

/** Settings that sessions and their registry read. Times in milliseconds. */
export interface SessionSettings
  extends SessionTimings, BackpressureSettings, MemorySettings, HandlerSettings {
  /** Rate limit for the input of one session. */
  readonly maxMessagesPerSecond: number;
  /** Mean age at which a session is closed. `Infinity` for no limit. */
  readonly maxSessionAge: number;
  /** Limit for messages in one request body or WebSocket message. */
  readonly maxMessagesPerBody: number;
  /** Maximum interval at which deadlines are checked. Short delays shorten it. */
  readonly sessionCheckInterval: number;
  /** True to flush after the running callback, false to flush once per turn of the event loop. */
  readonly immediateFlush: boolean;
  /** Unless `false`, a flush of short messages may take long. */
  readonly compression: object | false;
}
