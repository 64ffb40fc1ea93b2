/** SockJS frames as data. Each transport encodes them in its own way. */
import { LONG_BYTES } from '../base/memoize.ts';
import { type Message, quote } from './message.ts';

export interface OpenFrame {
  readonly type: 'open';
  readonly isLong: false;
  readonly text: string;
}

export interface HeartbeatFrame {
  readonly type: 'heartbeat';
  readonly isLong: false;
  readonly text: 'h';
}

/** Its text is encoded on demand: a raw WebSocket sends the messages themselves. */
export class MessagesFrame {
  readonly type = 'messages';
  readonly messages: readonly Message[];
  /** True if the messages have more than `LONG_BYTES`. */
  readonly isLong: boolean;
  #text: string | undefined;

  constructor(messages: readonly Message[]) {
    this.messages = messages;
    this.isLong = areLong(messages);
  }

  get text(): string {
    return (this.#text ??= encodeMessages(this.messages));
  }
}

export interface CloseFrame {
  readonly type: 'close';
  readonly isLong: false;
  readonly text: string;
  readonly code: number;
  readonly reason: string;
}

export type Frame = OpenFrame | HeartbeatFrame | MessagesFrame | CloseFrame;

const OPEN_FRAME: OpenFrame = { type: 'open', isLong: false, text: 'o' };
export const HEARTBEAT_FRAME: HeartbeatFrame = { type: 'heartbeat', isLong: false, text: 'h' };

/** First frame of a session. */
export function openFrame(): OpenFrame {
  return OPEN_FRAME;
}

/** @param json code and reason in the text of the frame, as JSON, if they differ from those of a WebSocket */
export function closeFrame(
  code: number,
  reason: string,
  json = `[${code},${quote(reason)}]`,
): CloseFrame {
  return { type: 'close', isLong: false, text: `c${json}`, code, reason };
}

/** Refuses a second receiver. PROTOCOL.md, "Session lifecycle", 2. */
export const OCCUPIED_FRAME: CloseFrame = closeFrame(2010, 'Another connection still open');

function encodeMessages(messages: readonly Message[]): string {
  let text = 'a[';
  let separator = '';
  for (const message of messages) {
    text += separator + message.quoted;
    separator = ',';
  }
  return `${text}]`;
}

// A broadcast queues the same messages in many sessions. Their frame is memoized, so that its text is encoded once, and
// transports recognize it by identity and reuse its bytes.
let lastShortFrame: MessagesFrame | undefined;

/**
 * Long frames by their first and last message, so that they are freed with their messages. Sessions whose messages
 * differ, because some have others before or after those of a broadcast, do not replace each other's frames.
 */
const longFrames = new WeakMap<Message, WeakMap<Message, MessagesFrame>>();

function isSame(left: readonly Message[], right: readonly Message[]): boolean {
  return left.length === right.length && left.every((message, index) => message === right[index]);
}

function areLong(messages: readonly Message[]): boolean {
  let size = 0;
  for (const message of messages) size += message.size;
  return size > LONG_BYTES;
}

/** Returns the known frame with the messages of a long frame, or that frame. */
function memoizeLong(first: Message, last: Message, frame: MessagesFrame): MessagesFrame {
  let frames = longFrames.get(first);
  if (frames === undefined) longFrames.set(first, (frames = new WeakMap()));
  const known = frames.get(last);
  if (known !== undefined && isSame(known.messages, frame.messages)) return known;
  frames.set(last, frame);
  return frame;
}

/** Returns the frame for these messages. Sessions with the same messages get the same object. */
export function messagesFrame(messages: readonly Message[]): MessagesFrame {
  if (lastShortFrame !== undefined && isSame(lastShortFrame.messages, messages)) {
    return lastShortFrame;
  }
  const frame = new MessagesFrame(messages);
  if (frame.isLong) {
    const first = messages[0];
    const last = messages.at(-1);
    if (first !== undefined && last !== undefined) return memoizeLong(first, last, frame);
  }
  lastShortFrame = frame;
  return frame;
}
