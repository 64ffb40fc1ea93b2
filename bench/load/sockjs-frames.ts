/** Frames of the XHR transports, each in a line. */
import { type Inbox, unexpected } from './inbox.ts';

export const NEWLINE = 10;
const OPEN = 111;
const MESSAGES = 97;
const HEARTBEAT = 104;

/** Takes a frame with its newline, which is `data` from `begin` to `end`. @param opened called for an open frame */
export function takeFrame(
  data: Buffer,
  begin: number,
  end: number,
  inbox: Inbox,
  opened: () => void,
): void {
  if (data[end - 1] !== NEWLINE) throw unexpected(data, begin, end);
  if (data[begin] === MESSAGES) inbox.take(data, begin, end - 1);
  else if (data[begin] === OPEN) opened();
  else if (data[begin] !== HEARTBEAT) throw unexpected(data, begin, end);
}
