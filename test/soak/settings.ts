/** Settings of the soak server. Delays and limits are low, so that clients reach all of them often. */
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

/** Commands of clients. The server echoes all other messages. */
export const CLOSE = '!close';
export const FLOOD = '!flood';
/** Close status for the command `CLOSE`. */
export const CLOSE_STATUS = { code: 3001, reason: 'As requested' };
/** Messages and their size for the command `FLOOD`. */
export const FLOOD_MESSAGES = 150;
export const FLOOD_BYTES = 1024;
