/**
 * Frames between two nodes of a cluster: the length of the payload (4 bytes), the stream (4 bytes) and the type (1
 * byte), in network order, and then the payload.
 */
import { type Payload, payloadLength } from '../base/payload.ts';
import { ReceiveBuffer } from '../base/receive-buffer.ts';

/**
 * `request` and `response` begin a stream in one direction: the length of the head (4 bytes), the head, and the first
 * bytes of the body. `data` has more of the body. `unknown` is the response to a request of a session that the node
 * does not have. `delivered` confirms that the client has its whole response. `abort` ends a stream at once. `credit`
 * allows the other end to send more bytes of bodies.
 */
export const FRAME_TYPES = {
  request: 1,
  response: 2,
  data: 3,
  unknown: 4,
  abort: 5,
  credit: 6,
  ping: 7,
  pong: 8,
  delivered: 9,
} as const;

export type FrameType = (typeof FRAME_TYPES)[keyof typeof FRAME_TYPES];

/** Bytes of the body of a stream that may be on their way without a credit. */
export const WINDOW_BYTES: number = 64 * 1024;

/** Limit for the head of a request or a response. */
export const MAX_HEAD_BYTES: number = 256 * 1024;

const HEADER_BYTES = 9;
const LENGTH_BYTES = 4;
const TYPE_OFFSET = 8;

/** Added to the type of the frame that ends the body. */
const LAST = 0x80;

const MAX_PAYLOAD_BYTES: ReadonlyMap<number, number> = new Map([
  [FRAME_TYPES.request, LENGTH_BYTES + MAX_HEAD_BYTES + WINDOW_BYTES],
  [FRAME_TYPES.response, LENGTH_BYTES + MAX_HEAD_BYTES + WINDOW_BYTES],
  [FRAME_TYPES.data, WINDOW_BYTES],
  [FRAME_TYPES.unknown, 0],
  [FRAME_TYPES.abort, 0],
  [FRAME_TYPES.credit, LENGTH_BYTES],
  [FRAME_TYPES.ping, 0],
  [FRAME_TYPES.pong, 0],
  [FRAME_TYPES.delivered, 0],
]);

export interface RelayFrame {
  readonly type: number;
  readonly stream: number;
  /** True for the last frame of a body. */
  readonly isLast: boolean;
  /** A view of received bytes. */
  readonly payload: Buffer;
}

/** Allocates a frame, and writes its header. */
function allocateFrame(type: FrameType, stream: number, length: number, isLast: boolean): Buffer {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + length);
  frame.writeUInt32BE(length, 0);
  frame.writeUInt32BE(stream, LENGTH_BYTES);
  frame[TYPE_OFFSET] = isLast ? type + LAST : type;
  return frame;
}

/** Writes a payload, whose length is known, into a frame. */
function writePayload(frame: Buffer, offset: number, payload: Payload): void {
  if (typeof payload === 'string') {
    const isAscii = frame.length - offset === payload.length;
    frame.write(payload, offset, isAscii ? 'latin1' : 'utf8');
    return;
  }
  let at = offset;
  for (const piece of payload) at += piece.copy(frame, at);
}

/** Encodes a frame without a payload. */
export function encodeControl(type: FrameType, stream: number): Buffer {
  return allocateFrame(type, stream, 0, false);
}

export function encodeCredit(stream: number, bytes: number): Buffer {
  const frame = allocateFrame(FRAME_TYPES.credit, stream, LENGTH_BYTES, false);
  frame.writeUInt32BE(bytes, HEADER_BYTES);
  return frame;
}

/** @param payload up to `WINDOW_BYTES` */
export function encodeData(stream: number, payload: Payload, isLast: boolean): Buffer {
  const frame = allocateFrame(FRAME_TYPES.data, stream, payloadLength(payload), isLast);
  writePayload(frame, HEADER_BYTES, payload);
  return frame;
}

/**
 * Encodes the first frame of a request or a response.
 * @param head Latin-1 of at most `MAX_HEAD_BYTES`
 * @param body first bytes of the body, up to `WINDOW_BYTES`
 */
export function encodeHead(
  type: FrameType,
  stream: number,
  head: string,
  body: Payload,
  isLast: boolean,
): Buffer {
  const offset = LENGTH_BYTES + head.length;
  const frame = allocateFrame(type, stream, offset + payloadLength(body), isLast);
  frame.writeUInt32BE(head.length, HEADER_BYTES);
  frame.write(head, HEADER_BYTES + LENGTH_BYTES, 'latin1');
  writePayload(frame, HEADER_BYTES + offset, body);
  return frame;
}

/** Splits the payload of the first frame of a request or a response. Throws an error if it is malformed. */
export function splitHead(payload: Buffer): { readonly head: string; readonly body: Buffer } {
  const end = payload.length < LENGTH_BYTES ? Infinity : LENGTH_BYTES + payload.readUInt32BE(0);
  if (end > payload.length || end > LENGTH_BYTES + MAX_HEAD_BYTES)
    throw new Error('a frame with a wrong length of its head');
  return { head: payload.toString('latin1', LENGTH_BYTES, end), body: payload.subarray(end) };
}

/** Reads the payload of a `credit`. */
export function readCredit(payload: Buffer): number {
  return payload.length < LENGTH_BYTES ? 0 : payload.readUInt32BE(0);
}

function checkFrame(type: number, length: number): void {
  const limit = MAX_PAYLOAD_BYTES.get(type);
  if (limit === undefined) throw new Error(`a frame with the unknown type ${type}`);
  if (length > limit) throw new Error(`a frame with ${length} bytes`);
}

/** Splits a sequence of bytes into frames. It buffers at most one incomplete frame, each byte of it once. */
export class FrameParser {
  readonly #onFrame: (frame: RelayFrame) => void;
  /** The incomplete frame. */
  #partial: ReceiveBuffer | undefined;

  constructor(onFrame: (frame: RelayFrame) => void) {
    this.#onFrame = onFrame;
  }

  /** Throws an error at bytes that are not a frame. Then no more bytes may be parsed. */
  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      const rest = at === 0 ? chunk : chunk.subarray(at);
      at += this.#partial === undefined ? this.#take(rest) : this.#complete(rest, this.#partial);
    }
  }

  /** Takes a frame, or the beginning of one. Returns the number of bytes taken. */
  #take(bytes: Buffer): number {
    const length = this.#lengthOf(bytes);
    if (length <= bytes.length) {
      this.#emit(bytes, length);
      return length;
    }
    this.#partial = new ReceiveBuffer(HEADER_BYTES + LENGTH_BYTES + MAX_HEAD_BYTES + WINDOW_BYTES);
    this.#partial.append(bytes);
    return bytes.length;
  }

  /** Takes more of the incomplete frame. Returns the number of bytes taken. */
  #complete(bytes: Buffer, partial: ReceiveBuffer): number {
    const piece = bytes.subarray(0, this.#lengthOf(partial.bytes) - partial.length);
    partial.append(piece);
    const frame = partial.bytes;
    const length = this.#lengthOf(frame);
    if (length <= frame.length) {
      this.#partial = undefined;
      this.#emit(frame, length);
    }
    return piece.length;
  }

  /** Returns the length of the frame that begins here, or that of a header while it is incomplete. */
  #lengthOf(bytes: Buffer): number {
    if (bytes.length < HEADER_BYTES) return HEADER_BYTES;
    const length = bytes.readUInt32BE(0);
    checkFrame((bytes[TYPE_OFFSET] ?? 0) & ~LAST, length);
    return HEADER_BYTES + length;
  }

  #emit(bytes: Buffer, length: number): void {
    const type = bytes[TYPE_OFFSET] ?? 0;
    this.#onFrame({
      type: type & ~LAST,
      stream: bytes.readUInt32BE(LENGTH_BYTES),
      isLast: type >= LAST,
      payload: bytes.subarray(HEADER_BYTES, length),
    });
  }
}
