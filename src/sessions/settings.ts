import type { SessionTimings } from '../protocol/state-machine.ts';
import type { BackpressureSettings } from './backpressure.ts';

/** Settings that sessions/ reads. */
export interface SessionSettings extends SessionTimings, BackpressureSettings {
  readonly immediateFlush: boolean;
  readonly maxMessagesPerBody: number;
  readonly rateLimitPolicy: 'wait' | 'close';
  readonly sessionCheckInterval: number;
}
