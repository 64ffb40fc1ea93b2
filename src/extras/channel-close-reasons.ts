import type { CloseStatus } from '../base/close-reasons.ts';

/** Close reasons of channels. docs/errors.md explains each. A test compares the two. */
export const CHANNEL_CLOSE_REASONS = {
  unknown: { code: 1008, reason: 'No such channel' },
  opening: { code: 1013, reason: 'Channel is still opening' },
  unsubscribed: { code: 1000, reason: 'Unsubscribed' },
} as const satisfies Readonly<Record<string, CloseStatus>>;
