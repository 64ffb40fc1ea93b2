import { Message } from '../protocol/message.ts';

/** Makes a message of text or bytes. `protocol/` has no `Buffer` to measure the text with. */
export function createMessage(data: string | Uint8Array): Message {
  return new Message(data, typeof data === 'string' ? Buffer.byteLength(data) : data.byteLength);
}
