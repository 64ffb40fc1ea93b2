/** Encodes the WebSocket frames of a server, which are final and unmasked. RFC 6455, section 5.2. */
import { memoizeLast } from '../base/memoize.ts';
import {
  BINARY,
  CLOSE,
  COMPRESSED_BIT,
  FINAL_BIT,
  LENGTH_16,
  LENGTH_64,
  NO_STATUS,
  PING,
  PONG,
  TEXT,
} from './opcodes.ts';

const MAX_16_BIT = 0xffff;

/** Returns a frame with its head, and space for `length` bytes of payload after it. */
function allocateFrame(opcode: number, length: number): Buffer {
  const frame = Buffer.allocUnsafe(headLength(length) + length);
  writeHead(frame, opcode, length);
  return frame;
}

function headLength(length: number): number {
  return length < LENGTH_16 ? 2 : length <= MAX_16_BIT ? 4 : 10;
}

function writeHead(frame: Buffer, opcode: number, length: number): void {
  const headBytes = headLength(length);
  frame[0] = FINAL_BIT | opcode;
  if (headBytes === 2) {
    frame[1] = length;
  } else if (headBytes === 4) {
    frame[1] = LENGTH_16;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = LENGTH_64;
    frame.writeUInt32BE(0, 2);
    frame.writeUInt32BE(length, 6);
  }
}

function encodeBytes(opcode: number, data: Uint8Array): Buffer {
  const frame = allocateFrame(opcode, data.length);
  frame.set(data, frame.length - data.length);
  return frame;
}

/** Encodes a short text as a frame. Memoized, so that the sockets of a broadcast share one buffer. */
export const encodeText: (text: string) => Buffer = memoizeLast((text) => {
  const length = Buffer.byteLength(text);
  const frame = allocateFrame(TEXT, length);
  // A text with as many bytes as characters is ASCII, which `latin1` copies without conversion.
  frame.write(text, frame.length - length, length === text.length ? 'latin1' : 'utf8');
  return frame;
});

/** Encodes the head of a text frame, whose payload is written after it, so that many sockets can share it. */
export function encodeTextHead(length: number): Buffer {
  const head = Buffer.allocUnsafe(headLength(length));
  writeHead(head, TEXT, length);
  return head;
}

/** Encodes a binary frame. */
export function encodeBinary(data: Uint8Array): Buffer {
  return encodeBytes(BINARY, data);
}

/** Encodes a frame with a compressed message. */
export function encodeCompressed(opcode: typeof TEXT | typeof BINARY, data: Uint8Array): Buffer {
  return encodeBytes(COMPRESSED_BIT | opcode, data);
}

/** Encodes a pong frame with the payload of its ping. */
export function encodePong(data: Uint8Array): Buffer {
  return encodeBytes(PONG, data);
}

/**
 * Encodes a close frame.
 * @param code 1005 for a frame without a code
 * @param reason at most 123 bytes
 */
export function encodeClose(code: number, reason: string): Buffer {
  if (code === NO_STATUS) return allocateFrame(CLOSE, 0);
  const frame = allocateFrame(CLOSE, 2 + Buffer.byteLength(reason));
  frame.writeUInt16BE(code, 2);
  frame.write(reason, 4, 'utf8');
  return frame;
}

export const PING_FRAME: Buffer = allocateFrame(PING, 0);

/** Encodes a ping and a text frame as one buffer, so that a heartbeat is one write. */
export const encodePingWithText: (text: string) => Buffer = memoizeLast((text) =>
  Buffer.concat([PING_FRAME, encodeText(text)]),
);
