import { LONG_BYTES } from '../base/memoize.ts';
import { Message } from '../protocol/message.ts';

let lastLong: WeakRef<Message> | undefined;

/**
 * Creates a message from text or bytes. `protocol/` has no `Buffer` to measure text with. A long text that is sent to
 * many clients in a loop becomes one message, as in a broadcast, so that it is encoded once.
 */
export function createMessage(data: string | Uint8Array): Message {
  if (typeof data !== 'string') return new Message(data, data.byteLength, false);
  if (data.length <= LONG_BYTES) return new Message(data, Buffer.byteLength(data), false);
  const last = lastLong?.deref();
  if (last?.data === data) return last;
  const message = new Message(data, Buffer.byteLength(data), false);
  lastLong = new WeakRef(message);
  return message;
}

/** Creates the message of a broadcast. */
export function createSharedMessage(text: string): Message {
  return new Message(text, Buffer.byteLength(text), true);
}
