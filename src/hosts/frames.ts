/**
 * RFC 6455 as a server speaks it, without a socket: bytes in, messages out; messages in, bytes out. It is
 * ours because a message then costs what it must: one look at its head, one pass over its bytes, one buffer
 * for its answer. Extensions are not offered, so every reserved bit is a fault.
 */
import { isUtf8 } from 'node:buffer';
import { isCloseCode } from '../protocol/ends.ts';
import { LONGEST_REMEMBERED, rememberLast } from '../remember.ts';
import { Gather, copyOf } from './gather.ts';

/** Told what a client's frames say, in their order. After `closing` and `fault` nothing follows. */
export interface FrameListener {
  /** @param bytes how long it was as UTF-8 */
  text(text: string, bytes: number): void;
  binary(data: Buffer): void;
  pinged(data: Buffer): void;
  /** The client's close frame; 1005 if it gave no code. */
  closing(code: number, reason: string): void;
  /** What came cannot be understood, or is too long; `code` is what a close frame should say. */
  fault(code: 1002 | 1007 | 1009): void;
}

const CONTINUATION = 0;
const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

const FINAL = 0x80;
const RESERVED = 0x70;
const OPCODE = 0x0f;
const MASKED = 0x80;
const LENGTH = 0x7f;
const LENGTH_IN_TWO = 126;
const LENGTH_IN_EIGHT = 127;
const MASK_SIZE = 4;
const LONGEST_CONTROL = 125;
const NO_CODE = 1005;

// Below this, making a view of words costs more than it saves.
const WORTH_WORDS = 64;

/** XORs `bytes` from `start` to `end` with a mask that begins at `start`. */
function unmask(bytes: Buffer, start: number, end: number, mask: Buffer): void {
  let at = start;
  if (end - start >= WORTH_WORDS) {
    while (((bytes.byteOffset + at) & 3) !== 0) {
      bytes[at] = (bytes[at] ?? 0) ^ (mask[(at - start) & 3] ?? 0);
      at += 1;
    }
    const words = new Int32Array(bytes.buffer, bytes.byteOffset + at, (end - at) >> 2);
    const word = rotated(mask, at - start);
    for (let index = 0; index < words.length; index += 1) words[index] = (words[index] ?? 0) ^ word;
    at += words.length * 4;
  }
  for (; at < end; at += 1) bytes[at] = (bytes[at] ?? 0) ^ (mask[(at - start) & 3] ?? 0);
}

const WORD = new Int32Array(1);
const WORD_BYTES = new Uint8Array(WORD.buffer);

/** The mask as it lies in memory from its byte `from` on, whatever the byte order. */
function rotated(mask: Buffer, from: number): number {
  for (let index = 0; index < 4; index += 1) WORD_BYTES[index] = mask[(from + index) & 3] ?? 0;
  return WORD[0] ?? 0;
}

/** Takes a client's bytes apart, in whatever pieces they come. It changes the bytes that it is given. */
export class FrameReader {
  /** How many messages have been complete. */
  messages = 0;
  readonly #most: number;
  readonly #listener: FrameListener;
  #isOver = false;
  /** The beginning of a head. */
  #head: Buffer | undefined;
  /** The frame that has begun: its first byte, what is still to come of it, and its mask as from there on. */
  #first = 0;
  #remaining = 0;
  #mask: Buffer | undefined;
  /** The message that has begun: TEXT, BINARY, or 0 if there is none. */
  #opcode = 0;
  #message: Gather | undefined;
  #control: Gather | undefined;

  /** @param most the longest message, in bytes */
  constructor(most: number, listener: FrameListener) {
    this.#most = most;
    this.#listener = listener;
  }

  /** Bytes of a message that is not complete. */
  get held(): number {
    return this.#message?.length ?? 0;
  }

  /** Takes nothing more, and forgets what it has. */
  stop(): void {
    this.#isOver = true;
    this.#message = undefined;
  }

  push(chunk: Buffer): void {
    let bytes = chunk;
    if (this.#head !== undefined) {
      bytes = Buffer.concat([this.#head, chunk]);
      this.#head = undefined;
    }
    let at = 0;
    while (at < bytes.length && !this.#isOver) {
      at = this.#remaining > 0 ? this.#payload(bytes, at) : this.#frame(bytes, at);
    }
  }

  /** @returns where the next frame begins, or what is to come of this one */
  #frame(bytes: Buffer, at: number): number {
    const left = bytes.length - at;
    const first = bytes[at] ?? 0;
    const second = left > 1 ? (bytes[at + 1] ?? 0) : MASKED;
    let length = second & LENGTH;
    const lengthSize = length === LENGTH_IN_TWO ? 2 : length === LENGTH_IN_EIGHT ? 8 : 0;
    const payload = at + 2 + lengthSize + MASK_SIZE;
    if ((second & MASKED) === 0 || !this.#isWelcome(first, length)) return this.#fail(1002, bytes);
    if (bytes.length < payload) {
      this.#head = copyOf(bytes.subarray(at)); // So that the rest can be freed.
      return bytes.length;
    }
    if (lengthSize === 2) length = bytes.readUInt16BE(at + 2);
    else if (lengthSize === 8)
      length = bytes.readUInt32BE(at + 2) * 2 ** 32 + bytes.readUInt32BE(at + 6);
    if (this.held + length > this.#most && (first & CLOSE) === 0) return this.#fail(1009, bytes);
    const end = payload + length;
    const mask = bytes.subarray(payload - MASK_SIZE, payload);
    if (end <= bytes.length && this.#opcode === 0 && (first & OPCODE) <= BINARY && first > FINAL) {
      unmask(bytes, payload, end, mask);
      this.#deliver(first & OPCODE, bytes, payload, end);
      return end;
    }
    this.#first = first;
    this.#remaining = length;
    (this.#mask ??= Buffer.alloc(MASK_SIZE)).set(mask);
    if ((first & OPCODE) === TEXT || (first & OPCODE) === BINARY) this.#opcode = first & OPCODE;
    if (length === 0) this.#endFrame();
    return payload;
  }

  /** Whether a frame that begins like this may come now: RFC 6455, 5.2, 5.4 and 5.5. */
  #isWelcome(first: number, length: number): boolean {
    if ((first & RESERVED) !== 0) return false;
    const opcode = first & OPCODE;
    switch (opcode) {
      case CONTINUATION:
        return this.#opcode !== 0;
      case TEXT:
      case BINARY:
        return this.#opcode === 0;
      case CLOSE:
      case PING:
      case PONG:
        return (first & FINAL) !== 0 && length <= LONGEST_CONTROL;
      default:
        return false;
    }
  }

  #payload(bytes: Buffer, at: number): number {
    const end = Math.min(bytes.length, at + this.#remaining);
    const taken = end - at;
    const mask = (this.#mask ??= Buffer.alloc(MASK_SIZE));
    unmask(bytes, at, end, mask);
    WORD[0] = rotated(mask, taken);
    mask.set(WORD_BYTES);
    const piece = bytes.subarray(at, end);
    if ((this.#first & CLOSE) === 0) (this.#message ??= new Gather(this.#most)).append(piece);
    else (this.#control ??= new Gather(LONGEST_CONTROL)).append(piece);
    this.#remaining -= taken;
    if (this.#remaining === 0) this.#endFrame();
    return end;
  }

  #endFrame(): void {
    if ((this.#first & CLOSE) !== 0) {
      const data = this.#control?.bytes ?? Buffer.alloc(0);
      this.#control = undefined;
      this.#endControl(this.#first & OPCODE, data);
    } else if ((this.#first & FINAL) !== 0) {
      const data = this.#message?.bytes ?? Buffer.alloc(0);
      const opcode = this.#opcode;
      this.#message = undefined;
      this.#opcode = 0;
      this.#deliver(opcode, data, 0, data.length);
    }
  }

  #endControl(opcode: number, data: Buffer): void {
    if (opcode === PING) this.#listener.pinged(data);
    else if (opcode === CLOSE) this.#close(data);
  }

  #close(data: Buffer): void {
    const hasCode = data.length > 0;
    const code = data.length > 1 ? data.readUInt16BE(0) : NO_CODE;
    const reason = data.subarray(2);
    if (hasCode && !isCloseCode(code)) {
      this.#fail(1002, data);
    } else if (isUtf8(reason)) {
      this.stop();
      this.#listener.closing(code, reason.toString('utf8'));
    } else {
      this.#fail(1007, data);
    }
  }

  #deliver(opcode: number, bytes: Buffer, start: number, end: number): void {
    this.messages += 1;
    if (opcode === BINARY) {
      this.#listener.binary(bytes.subarray(start, end));
      return;
    }
    const text = bytes.toString('utf8', start, end);
    // Where bytes are no UTF-8, this character stands in their place; mostly it is nowhere.
    if (text.includes('\ufffd') && !isUtf8(bytes.subarray(start, end))) this.#fail(1007, bytes);
    else this.#listener.text(text, end - start);
  }

  /** @returns the end of the bytes: nothing of them matters any more */
  #fail(code: 1002 | 1007 | 1009, bytes: Buffer): number {
    this.stop();
    this.#listener.fault(code);
    return bytes.length;
  }
}

/** An unmasked, final frame with room for its payload: RFC 6455, 5.2. */
function frameFor(opcode: number, length: number): Buffer {
  const size = length < LENGTH_IN_TWO ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(size + length);
  frame[0] = FINAL | opcode;
  if (size === 2) {
    frame[1] = length;
  } else if (size === 4) {
    frame[1] = LENGTH_IN_TWO;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = LENGTH_IN_EIGHT;
    frame.writeUInt32BE(0, 2);
    frame.writeUInt32BE(length, 6);
  }
  return frame;
}

/** One text as one buffer, ready for each socket; in a broadcast all of them get the same. */
export const textFrame: (text: string) => Buffer = rememberLast((text) => {
  const length = Buffer.byteLength(text);
  const frame = frameFor(TEXT, length);
  // As many bytes as characters: plain ASCII, which is written without being looked at.
  frame.write(text, frame.length - length, length === text.length ? 'latin1' : 'utf8');
  return frame;
}, LONGEST_REMEMBERED);

function bytesFrame(opcode: number, data: Uint8Array): Buffer {
  const frame = frameFor(opcode, data.length);
  frame.set(data, frame.length - data.length);
  return frame;
}

export function binaryFrame(data: Uint8Array): Buffer {
  return bytesFrame(BINARY, data);
}

export function pongFrame(data: Uint8Array): Buffer {
  return bytesFrame(PONG, data);
}

/** 1005 stands for a frame without a code. */
export function closingFrame(code: number, reason: string): Buffer {
  if (code === NO_CODE) return frameFor(CLOSE, 0);
  const length = Buffer.byteLength(reason);
  const frame = frameFor(CLOSE, 2 + length);
  frame.writeUInt16BE(code, 2);
  frame.write(reason, 4, 'utf8');
  return frame;
}

export const PING_FRAME: Buffer = frameFor(PING, 0);

/** A ping and one text as one buffer. */
export const pingWithText: (text: string) => Buffer = rememberLast(
  (text) => Buffer.concat([PING_FRAME, textFrame(text)]),
  LONGEST_REMEMBERED,
);
