/**
 * Parses the WebSocket frames of a client (RFC 6455), without a socket. A message that arrives in one chunk is not
 * copied. The handshake accepts no extension, so every reserved bit is an error.
 */
import { isCloseCode } from '../base/close-reasons.ts';
import { MASK_BYTES, rotateMask, unmask } from './mask.ts';
import {
  BINARY,
  CLOSE,
  CONTINUATION,
  CONTROL_BIT,
  FINAL_BIT,
  LENGTH_16,
  LENGTH_64,
  LENGTH_BITS,
  MASKED_BIT,
  MAX_CONTROL_BYTES,
  NO_STATUS,
  OPCODE_BITS,
  PING,
  PONG,
  RESERVED_BITS,
  TEXT,
} from './opcodes.ts';
import { ReceiveBuffer, copyOf } from '../base/receive-buffer.ts';

/** Close codes for input that violates RFC 6455 or exceeds the limit. */
export type ParserErrorCode = 1002 | 1007 | 1009;

/** Receives decoded WebSocket events in order. No event follows `onCloseFrame` or `onError`. */
export interface WsFrameListener {
  /** @param byteLength length of the text as UTF-8, in bytes */
  onText(text: string, byteLength: number): void;
  onBinary(data: Buffer): void;
  onPing(data: Buffer): void;
  /** @param code 1005 if the frame has none */
  onCloseFrame(code: number, reason: string): void;
  /** @param code code for the close frame of the server */
  onError(code: ParserErrorCode): void;
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Slow for invalid bytes, because `TextDecoder` throws. Call it only for text that may be invalid. */
function isUtf8(bytes: Uint8Array): boolean {
  try {
    UTF8.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

const MASK = new Uint8Array(MASK_BYTES);

/** Returns the mask of the current frame, in one array for all frames. A view for each would double the time for small ones. */
function readMask(bytes: Buffer, start: number): Uint8Array {
  for (let index = 0; index < MASK_BYTES; index += 1) MASK[index] = bytes[start + index] ?? 0;
  return MASK;
}

/** Parses the bytes of one client, in chunks of any size. It unmasks the chunks in place. */
export class WsFrameParser {
  /** Number of complete messages so far. */
  messages = 0;
  /** Number of control frames and tiny fragments so far. */
  framesWithoutMessage = 0;
  readonly #maxMessageBytes: number;
  readonly #listener: WsFrameListener;
  #isStopped = false;
  /** Incomplete head of a frame. */
  #head: Buffer | undefined;
  /** First byte of the frame whose payload is incomplete. */
  #firstByte = 0;
  #remainingPayload = 0;
  /** Mask of the remaining payload. */
  #mask: Buffer | undefined;
  /** Opcode of the incomplete message; CONTINUATION if there is none. */
  #opcode = CONTINUATION;
  #message: ReceiveBuffer | undefined;
  #control: ReceiveBuffer | undefined;

  /** @param maxMessageBytes limit for a message, over all its fragments */
  constructor(maxMessageBytes: number, listener: WsFrameListener) {
    this.#maxMessageBytes = maxMessageBytes;
    this.#listener = listener;
  }

  /** Buffered bytes of an incomplete message. */
  get bufferedBytes(): number {
    return this.#message?.length ?? 0;
  }

  /** Ignores all further input and frees the incomplete message. */
  stop(): void {
    this.#isStopped = true;
    this.#message = undefined;
  }

  push(chunk: Buffer): void {
    let bytes = chunk;
    if (this.#head !== undefined) {
      bytes = Buffer.concat([this.#head, chunk]);
      this.#head = undefined;
    }
    let at = 0;
    while (at < bytes.length && !this.#isStopped) {
      at = this.#remainingPayload > 0 ? this.#readPayload(bytes, at) : this.#readHead(bytes, at);
    }
  }

  /** Returns the index of the next frame, or of this frame's payload if that is incomplete. */
  #readHead(bytes: Buffer, at: number): number {
    const firstByte = bytes[at] ?? 0;
    const secondByte = at + 1 < bytes.length ? (bytes[at + 1] ?? 0) : MASKED_BIT;
    let length = secondByte & LENGTH_BITS;
    const lengthBytes = length === LENGTH_16 ? 2 : length === LENGTH_64 ? 8 : 0;
    const payload = at + 2 + lengthBytes + MASK_BYTES;
    if ((secondByte & MASKED_BIT) === 0 || !this.#isAllowed(firstByte, length)) {
      return this.#fail(1002, bytes);
    }
    if (bytes.length < payload) {
      this.#head = copyOf(bytes.subarray(at)); // A view would keep the whole chunk in memory.
      return bytes.length;
    }
    if (lengthBytes === 2) length = bytes.readUInt16BE(at + 2);
    else if (lengthBytes === 8) {
      length = bytes.readUInt32BE(at + 2) * 2 ** 32 + bytes.readUInt32BE(at + 6);
    }
    const isControl = (firstByte & CONTROL_BIT) !== 0;
    if (!isControl && this.bufferedBytes + length > this.#maxMessageBytes) {
      return this.#fail(1009, bytes);
    }
    const end = payload + length;
    const mask = readMask(bytes, payload - MASK_BYTES);
    const opcode = firstByte & OPCODE_BITS;
    const isFinal = (firstByte & FINAL_BIT) !== 0;
    // The common case: a whole message or control frame in one chunk, which needs no copy.
    if (end <= bytes.length && (isControl || (isFinal && this.#opcode === CONTINUATION))) {
      unmask(bytes, payload, end, mask);
      if (isControl) this.#endControl(opcode, bytes.subarray(payload, end));
      else this.#deliver(opcode, bytes, payload, end);
      return end;
    }
    if (!isFinal && length < LENGTH_16) this.framesWithoutMessage += 1;
    this.#firstByte = firstByte;
    this.#remainingPayload = length;
    (this.#mask ??= Buffer.alloc(MASK_BYTES)).set(mask);
    if (opcode === TEXT || opcode === BINARY) this.#opcode = opcode;
    if (length === 0) this.#endFrame();
    return payload;
  }

  /** Returns whether a frame with this head is allowed now: RFC 6455, sections 5.2, 5.4 and 5.5. */
  #isAllowed(firstByte: number, length: number): boolean {
    if ((firstByte & RESERVED_BITS) !== 0) return false;
    switch (firstByte & OPCODE_BITS) {
      case CONTINUATION:
        return this.#opcode !== CONTINUATION;
      case TEXT:
      case BINARY:
        return this.#opcode === CONTINUATION;
      case CLOSE:
      case PING:
      case PONG:
        return (firstByte & FINAL_BIT) !== 0 && length <= MAX_CONTROL_BYTES;
      default:
        return false;
    }
  }

  #readPayload(bytes: Buffer, at: number): number {
    const end = Math.min(bytes.length, at + this.#remainingPayload);
    const mask = (this.#mask ??= Buffer.alloc(MASK_BYTES));
    unmask(bytes, at, end, mask);
    rotateMask(mask, end - at);
    const piece = bytes.subarray(at, end);
    if ((this.#firstByte & CONTROL_BIT) === 0) {
      (this.#message ??= new ReceiveBuffer(this.#maxMessageBytes)).append(piece);
    } else {
      (this.#control ??= new ReceiveBuffer(MAX_CONTROL_BYTES)).append(piece);
    }
    this.#remainingPayload -= end - at;
    if (this.#remainingPayload === 0) this.#endFrame();
    return end;
  }

  #endFrame(): void {
    if ((this.#firstByte & CONTROL_BIT) !== 0) {
      const data = this.#control?.bytes ?? Buffer.alloc(0);
      this.#control = undefined;
      this.#endControl(this.#firstByte & OPCODE_BITS, data);
    } else if ((this.#firstByte & FINAL_BIT) !== 0) {
      const data = this.#message?.bytes ?? Buffer.alloc(0);
      const opcode = this.#opcode;
      this.#message = undefined;
      this.#opcode = CONTINUATION;
      this.#deliver(opcode, data, 0, data.length);
    }
  }

  #endControl(opcode: number, data: Buffer): void {
    this.framesWithoutMessage += 1;
    if (opcode === PING) this.#listener.onPing(data);
    else if (opcode === CLOSE) this.#endClose(data);
  }

  #endClose(data: Buffer): void {
    const hasCode = data.length > 0;
    const code = data.length > 1 ? data.readUInt16BE(0) : NO_STATUS;
    const reason = data.subarray(2);
    if (hasCode && !isCloseCode(code)) {
      this.#fail(1002, data);
    } else if (isUtf8(reason)) {
      this.stop();
      this.#listener.onCloseFrame(code, reason.toString('utf8'));
    } else {
      this.#fail(1007, data);
    }
  }

  #deliver(opcode: number, bytes: Buffer, start: number, end: number): void {
    this.messages += 1;
    if (opcode === BINARY) {
      this.#listener.onBinary(bytes.subarray(start, end));
      return;
    }
    const text = bytes.toString('utf8', start, end);
    // Node decodes invalid bytes as U+FFFD, so only text with that character needs a check.
    if (text.includes('\ufffd') && !isUtf8(bytes.subarray(start, end))) this.#fail(1007, bytes);
    else this.#listener.onText(text, end - start);
  }

  /** Returns the end of the chunk, since the rest of it is ignored. */
  #fail(code: ParserErrorCode, bytes: Buffer): number {
    this.stop();
    this.#listener.onError(code);
    return bytes.length;
  }
}
