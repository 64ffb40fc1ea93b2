import { CLOSE_REASONS } from '../base/close-reasons.ts';
import { type CloseFrame, closeFrame } from '../protocol/frame.ts';
import type { Session } from '../sessions/session.ts';

/** Returns the close frame that a node leaves for late polls. The application's reason would hide lost messages. */
export function lateCloseFrame({ closeReason, hasLostMessages }: Session): CloseFrame | undefined {
  if (closeReason === undefined) return undefined;
  const hidesLoss = hasLostMessages && closeReason.cause !== 'goingAway';
  const { code, reason } = hidesLoss ? CLOSE_REASONS.goingAway : closeReason;
  return closeFrame(code, reason);
}
