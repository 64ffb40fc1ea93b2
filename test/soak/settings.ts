/** What the server of the soak is set to: delays and limits are low, so that all of them are met often. */
import type { SockJSSettings } from '../../src/index.ts';

export const PREFIX = '/echo';

export const LIMITS = {
  sessionCheckInterval: 500,
  disconnectDelay: 3000,
  heartbeatDelay: 5000,
  pingTimeout: 5000,
  streamRenewalDelay: 15_000,
  bodyTimeout: 2000,
  writeTimeout: 4000,
  responseLimit: 16 * 1024,
  maxMessageBytes: 64 * 1024,
  maxMessagesPerBody: 100,
  maxMessagesPerSecond: 200,
  maxSessionsPerAddress: 500,
  highWaterMark: 32 * 1024,
  maxBufferedBytes: 512 * 1024,
} as const satisfies SockJSSettings;

/** What a client may ask for instead of an echo. */
export const CLOSE = '!close';
export const FLOOD = '!flood';
export const FAREWELL = { code: 3001, reason: 'As you asked' };
/** So many messages of so many bytes answer a flood. */
export const FLOOD_COUNT = 150;
export const FLOOD_BYTES = 1024;
