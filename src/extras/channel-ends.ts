/** How channels end by themselves. docs/errors.md explains each; a test compares the two. */
import type { Closing } from '../protocol/ends.ts';

export const CHANNEL_ENDS = {
  unknown: { code: 1008, reason: 'No such channel' },
  opening: { code: 1013, reason: 'Channel is still opening' },
  unsubscribed: { code: 1000, reason: 'Unsubscribed' },
} as const satisfies Readonly<Record<string, Closing>>;
