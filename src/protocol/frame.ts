/**
 * The four frames that a server says, as data. What a frame looks like on a wire is the business of
 * the transport that writes it.
 */
import { MAX_MEMOIZED_BYTES } from '../base/memoize.ts';
import { type Message, quote } from './message.ts';

export interface OpenFrame {
  readonly type: 'open';
  readonly text: 'o';
}

export interface HeartbeatFrame {
  readonly type: 'heartbeat';
  readonly text: 'h';
}

/** Its text is made when a transport asks for it: a raw WebSocket never does. */
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

export const OPEN: OpenFrame = { type: 'open', text: 'o' };
export const HEARTBEAT_FRAME: HeartbeatFrame = { type: 'heartbeat', text: 'h' };

export function closeFrame(code: number, reason: string): CloseFrame {
  return { type: 'close', text: `c[${code},${quote(reason)}]`, code, reason };
}

/** For a second receiver: PROTOCOL "The session's life", 2. The session itself goes on. */
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

// A broadcast puts the same messages into the queues of many sessions, which are then emptied one
// after the other. Remembering the last frame turns a thousand encodings into one, and lets a
// transport recognise by identity the frame whose bytes it has just made. Long frames are not kept.
let lastFrame: MessagesFrame | undefined;

function sameMessages(left: readonly Message[], right: readonly Message[]): boolean {
  return left.length === right.length && left.every((message, index) => message === right[index]);
}

function isShort(messages: readonly Message[]): boolean {
  let size = 0;
  for (const message of messages) size += message.size;
  return size <= MAX_MEMOIZED_BYTES;
}

/** The frame for these messages; the same object when asked twice in a row. */
export function messagesFrame(messages: readonly Message[]): MessagesFrame {
  if (lastFrame !== undefined && sameMessages(lastFrame.messages, messages)) return lastFrame;
  const frame = new MessagesFrame(messages);
  lastFrame = isShort(messages) ? frame : undefined;
  return frame;
}
