import { SockJSError } from '../base/errors.ts';
import { LONG_BYTES } from '../base/memoize.ts';
import { Message } from '../protocol/message.ts';

/** Limit for the length of a text. As JSON in a script, a character takes up to 7, and a string has at most 512 Mi. */
const MAX_CHARACTERS = 64 * 1024 * 1024;

/** @throws SockJSError `ERR_MESSAGE_TYPE` if a text is too long */
export function checkTextLength({ length }: string): void {
  if (length <= MAX_CHARACTERS) return;
  throw new SockJSError(
    'ERR_MESSAGE_TYPE',
    `A message has at most ${MAX_CHARACTERS} characters, not ${length}. Send several messages.`,
  );
}

let lastShort: Message | undefined;
let lastLong: WeakRef<Message> | undefined;

function createShort(text: string): Message {
  if (lastShort?.data !== text) lastShort = new Message(text, Buffer.byteLength(text), false);
  return lastShort;
}

/**
 * Creates a message from text or bytes. `protocol/` has no `Buffer` to measure text with. A text that is sent to many
 * clients in a loop becomes one message, as in a broadcast, so that it is encoded once.
 * @throws SockJSError `ERR_MESSAGE_TYPE` if the text is too long
 */
export function createMessage(data: string | Uint8Array): Message {
  if (typeof data !== 'string') return new Message(data, data.byteLength, false);
  if (data.length <= LONG_BYTES) return createShort(data);
  checkTextLength(data);
  const last = lastLong?.deref();
  if (last?.data === data) return last;
  const message = new Message(data, Buffer.byteLength(data), false);
  lastLong = new WeakRef(message);
  return message;
}

/**
 * Creates the message of a broadcast.
 * @throws SockJSError `ERR_MESSAGE_TYPE` if the text is too long
 */
export function createSharedMessage(text: string): Message {
  checkTextLength(text);
  return new Message(text, Buffer.byteLength(text), true);
}
