/** Encodes and decodes WebSocket frames (RFC 6455, section 5.2; RFC 7692), including invalid ones. */
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';

export const OPCODE = {
  continuation: 0x0,
  text: 0x1,
  binary: 0x2,
  close: 0x8,
  ping: 0x9,
  pong: 0xa,
} as const;

const FIN_BIT = 0x80;
const MASK_BIT = 0x80;
const RSV_BITS = 0x70;
const RSV1_BIT = 0x40;
/** The reserved bits of the first frame of a compressed message. */
export const COMPRESSED = { rsv: 4 } as const;
/** End of each compressed message, which is not sent. */
const EMPTY_BLOCK = Buffer.from([0, 0, 0xff, 0xff]);
const MAX_CONTROL_BYTES = 125;

/** Mask of the examples in RFC 6455, section 5.7. */
export const DEFAULT_MASK: Buffer = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);

export type LengthForm = '7 bit' | '16 bit' | '64 bit';

export interface FrameOptions {
  /** Default: true. */
  readonly fin?: boolean;
  /** The three reserved bits as a number from 0 to 7. */
  readonly rsv?: number;
  /** Four bytes, or `false` for an unmasked frame, which only a server may send. */
  readonly mask?: Uint8Array | false;
  /** Default: the shortest form. */
  readonly lengthForm?: LengthForm;
  /** Length in the head, if it should differ from that of the payload. */
  readonly declaredLength?: number | bigint;
}

function shortestForm(length: bigint): LengthForm {
  if (length < 126n) return '7 bit';
  return length < 65_536n ? '16 bit' : '64 bit';
}

function encodeLength(length: bigint, form: LengthForm, maskBit: number): Buffer {
  if (form === '7 bit') return Buffer.from([maskBit | Number(length & 127n)]);
  if (form === '16 bit') {
    const bytes = Buffer.from([maskBit | 126, 0, 0]);
    bytes.writeUInt16BE(Number(length & 0xffffn), 1);
    return bytes;
  }
  const bytes = Buffer.alloc(9);
  bytes[0] = maskBit | 127;
  bytes.writeBigUInt64BE(length, 1);
  return bytes;
}

/** Encodes one frame as a client sends it, with changes by `options`. */
export function encodeFrame(
  opcode: number,
  payload: string | Uint8Array = '',
  options: FrameOptions = {},
): Buffer {
  const { fin = true, rsv = 0, mask = DEFAULT_MASK } = options;
  const data = Buffer.from(payload);
  const length = BigInt(options.declaredLength ?? data.length);
  const form = options.lengthForm ?? shortestForm(length);
  const first = Buffer.from([(fin ? FIN_BIT : 0) | (rsv << 4) | opcode]);
  const head = [first, encodeLength(length, form, mask === false ? 0 : MASK_BIT)];
  if (mask === false) return Buffer.concat([...head, data]);
  for (let at = 0; at < data.length; at += 1) data[at] = (data[at] ?? 0) ^ (mask[at % 4] ?? 0);
  return Buffer.concat([...head, mask, data]);
}

/** Encodes the payload of a close frame. */
export function encodeClose(code: number, reason: string | Uint8Array = ''): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(code);
  return Buffer.concat([bytes, Buffer.from(reason)]);
}

/** Decodes the payload of a close frame. The code is 1005 if there is no payload. */
export function decodeClose(payload: Buffer): { readonly code: number; readonly reason: string } {
  if (payload.length === 0) return { code: 1005, reason: '' };
  if (payload.length === 1) throw new Error('A close frame has a payload of one byte.');
  return { code: payload.readUInt16BE(0), reason: decodeText(payload.subarray(2)) };
}

/** Decodes UTF-8. @throws TypeError if the payload is invalid */
export function decodeText(payload: Uint8Array): string {
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(payload);
}

/** Compresses a message as a client does. */
export function deflate(message: string | Uint8Array): Buffer {
  return deflateRawSync(message, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);
}

/** Decompresses a message of a server. @throws an error for invalid data */
export function inflate(message: Uint8Array): Buffer {
  const finishFlush = constants.Z_SYNC_FLUSH;
  return inflateRawSync(Buffer.concat([message, EMPTY_BLOCK]), { finishFlush });
}

export interface WsFrame {
  readonly fin: boolean;
  /** True for the first frame of a compressed message. */
  readonly isCompressed: boolean;
  readonly opcode: number;
  readonly payload: Buffer;
}

/** The source of a decoder's bytes, such as a `RawConnection`. */
export interface ByteSource {
  readBytes(length: number): Promise<Buffer>;
}

const OPCODES = new Set<number>(Object.values(OPCODE));

function requireValid(isValid: boolean, rule: string): void {
  if (!isValid) throw new Error(`The server broke RFC 6455: ${rule}.`);
}

/**
 * Reads the next frame of a server.
 * @param allowsCompression whether permessage-deflate was negotiated
 * @throws an error for a frame that RFC 6455 or RFC 7692 forbids a server
 */
export async function readServerFrame(
  source: ByteSource,
  allowsCompression = false,
): Promise<WsFrame> {
  const [first = 0, second = 0] = await source.readBytes(2);
  const opcode = first & 0x0f;
  const fin = (first & FIN_BIT) !== 0;
  const isControl = opcode >= OPCODE.close;
  const isData = opcode === OPCODE.text || opcode === OPCODE.binary;
  const isCompressed = allowsCompression && isData && (first & RSV_BITS) === RSV1_BIT;
  requireValid(isCompressed || (first & RSV_BITS) === 0, 'a reserved bit is set');
  requireValid(OPCODES.has(opcode), `opcode ${opcode} is reserved`);
  requireValid((second & MASK_BIT) === 0, 'a frame of a server is masked');
  requireValid(!isControl || fin, 'a control frame is fragmented');
  let length = second & 0x7f;
  requireValid(
    !isControl || length <= MAX_CONTROL_BYTES,
    'a control frame is longer than 125 bytes',
  );
  if (length === 126) {
    length = (await source.readBytes(2)).readUInt16BE(0);
    requireValid(length > 125, 'a length is not in its shortest form');
  } else if (length === 127) {
    length = Number((await source.readBytes(8)).readBigUInt64BE(0));
    requireValid(length > 65_535, 'a length is not in its shortest form');
  }
  return { fin, isCompressed, opcode, payload: await source.readBytes(length) };
}
