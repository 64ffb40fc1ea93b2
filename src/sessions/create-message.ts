import { Message } from '../protocol/message.ts';

/** Creates a message from text or bytes. `protocol/` has no `Buffer` to measure text with. */
export function createMessage(data: string | Uint8Array): Message {
  return new Message(data, typeof data === 'string' ? Buffer.byteLength(data) : data.byteLength);
}
