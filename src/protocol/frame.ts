/** SockJS frames as data. Each transport encodes them in its own way. */
import { MAX_MEMOIZED_BYTES } from '../base/memoize.ts';
import { type Message, quote } from './message.ts';

export interface OpenFrame {
  readonly type: 'open';
  readonly text: string;
}

export interface HeartbeatFrame {
  readonly type: 'heartbeat';
  readonly text: 'h';
}

/** Its text is encoded on demand: a raw WebSocket sends the messages themselves. */
export class MessagesFrame {
  readonly type = 'messages';
  readonly messages: readonly Message[];
  #text: string | undefined;

  constructor(messages: readonly Message[]) {
    this.messages = messages;
  }

  get text(): string {
    return (this.#text ??= encodeMessages(this.messages));
  }
}

export interface CloseFrame {
  readonly type: 'close';
  readonly text: string;
  readonly code: number;
  readonly reason: string;
}

export type Frame = OpenFrame | HeartbeatFrame | MessagesFrame | CloseFrame;

const OPEN_FRAME: OpenFrame = { type: 'open', text: 'o' };
export const HEARTBEAT_FRAME: HeartbeatFrame = { type: 'heartbeat', text: 'h' };

/** First frame of a session. */
export function openFrame(): OpenFrame {
  return OPEN_FRAME;
}

export function closeFrame(code: number, reason: string): CloseFrame {
  return { type: 'close', text: `c[${code},${quote(reason)}]`, code, reason };
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

// A broadcast queues the same messages in many sessions, which are flushed one after the other. The last frame is
// memoized, so that it is encoded once, and transports recognize it by identity and reuse its bytes. Long frames are
// not memoized, so that their memory is freed.
let lastFrame: MessagesFrame | undefined;

function isSame(left: readonly Message[], right: readonly Message[]): boolean {
  return left.length === right.length && left.every((message, index) => message === right[index]);
}

function isShort(messages: readonly Message[]): boolean {
  let size = 0;
  for (const message of messages) size += message.size;
  return size <= MAX_MEMOIZED_BYTES;
}

/** Returns the frame for these messages. Two calls in a row with the same messages return the same object. */
export function messagesFrame(messages: readonly Message[]): MessagesFrame {
  if (lastFrame !== undefined && isSame(lastFrame.messages, messages)) return lastFrame;
  const frame = new MessagesFrame(messages);
  lastFrame = isShort(messages) ? frame : undefined;
  return frame;
}
