/** Compresses the messages of the server. A broadcast is compressed once for all its clients. */
import { RecentMap } from '../base/recent-map.ts';
import { deflateMessage } from './deflate.ts';
import { encodeCompressed, encodeText } from './frame-encoder.ts';
import { BINARY, TEXT } from './opcodes.ts';

/** Length from which a message is sent as it is, since compressing it would block the event loop for over 5 ms. */
export const MAX_COMPRESSED_BYTES = 1024 * 1024;

/**
 * Frames of short texts that were sent last. More than one, since clients of a broadcast may also get a message of their
 * own, and since the messages of a raw WebSocket are not joined.
 */
const recentFrames = new RecentMap<string, Buffer>(16);

/** Frames of long texts, which are freed with the bytes that the clients share. */
const longFrames = new WeakMap<Buffer, Buffer | undefined>();

/** Returns the frame of a message, or undefined if compression would not make it shorter. */
function compress(
  opcode: typeof TEXT | typeof BINARY,
  data: string | Uint8Array,
  length: number,
): Buffer | undefined {
  if (length > MAX_COMPRESSED_BYTES) return undefined;
  const compressed = deflateMessage(data, length);
  return compressed.length < length ? encodeCompressed(opcode, compressed) : undefined;
}

/** Encodes a short text. */
export function compressText(text: string): Buffer {
  let frame = recentFrames.get(text);
  if (frame === undefined) {
    frame = compress(TEXT, text, Buffer.byteLength(text)) ?? encodeText(text);
    recentFrames.set(text, frame);
  }
  return frame;
}

/** Encodes a long text, which is passed as its bytes. Returns undefined if compression would not make it shorter. */
export function compressLongText(bytes: Buffer): Buffer | undefined {
  if (!longFrames.has(bytes)) longFrames.set(bytes, compress(TEXT, bytes, bytes.length));
  return longFrames.get(bytes);
}

/** Encodes a binary message. Returns undefined if compression would not make it shorter. */
export function compressBinary(data: Uint8Array): Buffer | undefined {
  return compress(BINARY, data, data.length);
}
