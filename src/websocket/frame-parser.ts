/**
 * Parses the WebSocket frames of a client (RFC 6455), without a socket. A message that arrives in one chunk is not
 * copied. Without permessage-deflate (RFC 7692), every reserved bit is an error.
 */
import { isUtf8 } from 'node:buffer';
import { isCloseCode } from '../base/close-reasons.ts';
import { MASK_BYTES, readMask, rotateMask, unmask } from './mask.ts';
import {
  BINARY,
  CLOSE,
  COMPRESSED_BIT,
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
import { inflateMessage } from './deflate.ts';

/** Violations of the RFCs or of the limit. Each is a key of `CLOSE_REASONS`. */
export type ParserFault = 'invalidCompression' | 'invalidFrame' | 'invalidUtf8' | 'messageTooLarge';

/** Receives decoded WebSocket events in order. No event follows `onCloseFrame` or `onError`. */
export interface WsFrameListener {
  /** @param byteLength length of the text as UTF-8, in bytes */
  onText(text: string, byteLength: number): void;
  onBinary(data: Buffer): void;
  onPing(data: Buffer): void;
  /** @param code 1005 if the frame has none */
  onCloseFrame(code: number, reason: string): void;
  onError(fault: ParserFault): void;
}

/** Compressed message that waits for `resume`, and the input after it. */
interface WaitingInput {
  readonly opcode: number;
  readonly message: Buffer;
  readonly rest: Buffer;
}

/** Length of the longest string of V8. Decoding a longer text would throw. */
const MAX_STRING_LENGTH = 2 ** 29 - 24;

const NO_BYTES = Buffer.alloc(0);
const NO_INPUT: WaitingInput = { opcode: CONTINUATION, message: NO_BYTES, rest: NO_BYTES };

/**
 * Parses the bytes of one client, in chunks of any size. It unmasks the chunks in place. After a compressed message it
 * waits for `resume`, so that the caller decides how many messages are inflated in one turn of the event loop.
 */
export class WsFrameParser {
  /** Number of complete messages so far. */
  messages = 0;
  /** Number of control frames and tiny fragments so far. */
  framesWithoutMessage = 0;
  readonly #maxMessageBytes: number;
  readonly #listener: WsFrameListener;
  #state: 'parsing' | 'waiting' | 'stopped' = 'parsing';
  /** Undefined without permessage-deflate. */
  #waiting: WaitingInput | undefined;
  /** Incomplete head of a frame. */
  #head: Buffer | undefined;
  /** First byte of the frame whose payload is incomplete. */
  #firstByte = 0;
  #remainingPayload = 0;
  /** Mask of the remaining payload. */
  #mask: Buffer | undefined;
  /** Opcode of the incomplete message, with `COMPRESSED_BIT` if it is compressed; CONTINUATION if there is none. */
  #opcode = CONTINUATION;
  #message: ReceiveBuffer | undefined;
  #control: ReceiveBuffer | undefined;

  /**
   * @param maxMessageBytes limit for a message, over all its fragments, before and after inflating
   * @param allowsCompression whether permessage-deflate was negotiated
   */
  constructor(maxMessageBytes: number, listener: WsFrameListener, allowsCompression = false) {
    this.#maxMessageBytes = Math.min(maxMessageBytes, MAX_STRING_LENGTH);
    this.#listener = listener;
    this.#waiting = allowsCompression ? NO_INPUT : undefined;
  }

  /** True while a compressed message waits for `resume`. */
  get isWaiting(): boolean {
    return this.#state === 'waiting';
  }

  /** Buffered bytes of an incomplete message, or of input that waits for `resume`. */
  get bufferedBytes(): number {
    const { message = NO_BYTES, rest = NO_BYTES } = this.#waiting ?? {};
    return this.#incompleteBytes + message.length + rest.length;
  }

  get #incompleteBytes(): number {
    return this.#message?.length ?? 0;
  }

  /** Ignores all further input and frees what is buffered. */
  stop(): void {
    this.#state = 'stopped';
    this.#message = undefined;
    this.#waiting = undefined;
  }

  /** Inflates and delivers the message that waits, and parses the input after it, up to the next compressed message. */
  resume(): void {
    if (this.#waiting === undefined || !this.isWaiting) return;
    const { opcode, message, rest } = this.#waiting;
    this.#state = 'parsing';
    this.#waiting = NO_INPUT;
    const inflated = inflateMessage(message, this.#maxMessageBytes);
    if (typeof inflated === 'string') this.#fail(inflated, message);
    else this.#deliver(opcode & OPCODE_BITS, inflated, 0, inflated.length);
    this.push(rest);
  }

  push(chunk: Buffer): void {
    if (this.isWaiting) return this.#keep(chunk);
    let bytes = chunk;
    if (this.#head !== undefined) {
      bytes = Buffer.concat([this.#head, chunk]);
      this.#head = undefined;
    }
    let at = 0;
    while (at < bytes.length && this.#state === 'parsing') {
      at = this.#remainingPayload > 0 ? this.#readPayload(bytes, at) : this.#readHead(bytes, at);
    }
    if (this.isWaiting) this.#keep(bytes.subarray(at));
  }

  /** Keeps input that follows the message that waits. */
  #keep(bytes: Buffer): void {
    if (this.#waiting === undefined) return;
    const { rest } = this.#waiting;
    this.#waiting = {
      ...this.#waiting,
      rest: rest.length === 0 ? bytes : Buffer.concat([rest, bytes]),
    };
  }

  /** Returns the index of the next frame, or of this frame's payload if that is incomplete. */
  #readHead(bytes: Buffer, at: number): number {
    const firstByte = bytes[at] ?? 0;
    const secondByte = at + 1 < bytes.length ? (bytes[at + 1] ?? 0) : MASKED_BIT;
    let length = secondByte & LENGTH_BITS;
    const lengthBytes = length === LENGTH_16 ? 2 : length === LENGTH_64 ? 8 : 0;
    const payload = at + 2 + lengthBytes + MASK_BYTES;
    if ((secondByte & MASKED_BIT) === 0 || !this.#isAllowed(firstByte, length)) {
      return this.#fail('invalidFrame', bytes);
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
    if (!isControl && this.#incompleteBytes + length > this.#maxMessageBytes) {
      return this.#fail('messageTooLarge', bytes);
    }
    const end = payload + length;
    const mask = readMask(bytes, payload - MASK_BYTES);
    const opcode = firstByte & (OPCODE_BITS | COMPRESSED_BIT);
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
    if (!isControl && opcode !== CONTINUATION) this.#opcode = opcode;
    if (length === 0) this.#endFrame();
    return payload;
  }

  /** Returns whether a frame with this head is allowed now: RFC 6455, sections 5.2, 5.4 and 5.5; RFC 7692, section 6. */
  #isAllowed(firstByte: number, length: number): boolean {
    const reserved = firstByte & RESERVED_BITS;
    if (reserved !== 0 && !this.#isCompressed(firstByte)) return false;
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

  /** Returns whether the reserved bits mark a compressed message, which only its first frame may do. */
  #isCompressed(firstByte: number): boolean {
    if (this.#waiting === undefined || (firstByte & RESERVED_BITS) !== COMPRESSED_BIT) return false;
    const opcode = firstByte & OPCODE_BITS;
    return opcode === TEXT || opcode === BINARY;
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
      this.#fail('invalidFrame', data);
    } else if (isUtf8(reason)) {
      this.stop();
      this.#listener.onCloseFrame(code, reason.toString('utf8'));
    } else {
      this.#fail('invalidUtf8', data);
    }
  }

  #deliver(opcode: number, bytes: Buffer, start: number, end: number): void {
    if (opcode !== TEXT) return this.#deliverOther(opcode, bytes.subarray(start, end));
    this.messages += 1;
    const text = bytes.toString('utf8', start, end);
    // Node decodes invalid bytes as U+FFFD, so only text with that character needs a check.
    if (text.includes('\ufffd') && !isUtf8(bytes.subarray(start, end)))
      this.#fail('invalidUtf8', bytes);
    else this.#listener.onText(text, end - start);
  }

  #deliverOther(opcode: number, message: Buffer): void {
    if ((opcode & COMPRESSED_BIT) !== 0) {
      this.#state = 'waiting';
      this.#waiting = { opcode, message, rest: NO_BYTES };
    } else {
      this.messages += 1;
      this.#listener.onBinary(message);
    }
  }

  /** Returns the end of the chunk, since the rest of it is ignored. */
  #fail(fault: ParserFault, bytes: Buffer): number {
    this.stop();
    this.#listener.onError(fault);
    return bytes.length;
  }
}
