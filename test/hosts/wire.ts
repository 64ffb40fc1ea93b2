/** Frames as clients send them, right and wrong, and a reader whose listener writes down what it is told. */
import { type WsFrameListener, WsFrameParser } from '../../src/websocket/frame-parser.ts';

export const CONTINUATION = 0x00;
export const TEXT = 0x01;
export const BINARY = 0x02;
export const CLOSE = 0x08;
export const PING = 0x09;
export const PONG = 0x0a;
export const FIN = 0x80;

export type LengthForm = '7 bit' | '16 bit' | '64 bit';

export interface FrameShape {
  /** Four bytes; false leaves them and the bit out. */
  readonly mask?: Uint8Array | false;
  /** By default the shortest. */
  readonly form?: LengthForm;
  /** The length that the head tells, if it is not that of the payload. */
  readonly announced?: number | bigint;
}

export const MASK: Buffer = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);

function shortestForm(length: bigint): LengthForm {
  if (length < 126n) return '7 bit';
  return length < 65_536n ? '16 bit' : '64 bit';
}

function lengthBytes(length: bigint, form: LengthForm, maskBit: number): Buffer {
  if (form === '7 bit') return Buffer.from([maskBit | Number(length & 127n)]);
  if (form === '16 bit') {
    const bytes = Buffer.from([maskBit | 126, 0, 0]);
    bytes.writeUInt16BE(Number(length & 0xffffn), 1);
    return bytes;
  }
  const bytes = Buffer.from([maskBit | 127, ...Array.from({ length: 8 }, () => 0)]);
  bytes.writeBigUInt64BE(length, 1);
  return bytes;
}

/** One frame; `first` is its first byte. */
export function frame(
  first: number,
  payload: string | Uint8Array = '',
  shape: FrameShape = {},
): Buffer {
  const data = Buffer.from(payload);
  const { mask = MASK, announced = data.length } = shape;
  const length = BigInt(announced);
  const { form = shortestForm(length) } = shape;
  const head = [Buffer.from([first]), lengthBytes(length, form, mask === false ? 0 : 0x80)];
  if (mask === false) return Buffer.concat([...head, data]);
  const masked = data.map((byte, index) => byte ^ (mask[index % 4] ?? 0));
  return Buffer.concat([...head, mask, masked]);
}

/** What a close frame carries. */
export function closing(code: number, reason: string | Uint8Array = ''): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(code);
  return Buffer.concat([bytes, Buffer.from(reason)]);
}

/** What a listener was told; bytes as hexadecimal digits. */
export type Told = readonly [what: string, ...details: (string | number)[]];

export class Recorder implements WsFrameListener {
  readonly told: Told[] = [];

  onText(text: string): void {
    this.told.push(['text', text]);
  }

  onBinary(data: Buffer): void {
    this.told.push(['binary', data.toString('hex')]);
  }

  onPing(data: Buffer): void {
    this.told.push(['ping', data.toString('hex')]);
  }

  onCloseFrame(code: number, reason: string): void {
    this.told.push(['closing', code, reason]);
  }

  onError(code: number): void {
    this.told.push(['fault', code]);
  }
}

export const HELLO: Buffer = frame(FIN | TEXT, 'Hello');

export function faultWith(code: number): Told[] {
  return [['fault', code]];
}

export const MOST = 100_000;

/** What a reader tells of these chunks. It is given copies: it changes them. */
export function toldOf(chunks: readonly Uint8Array[], most = MOST): Told[] {
  const recorder = new Recorder();
  const reader = new WsFrameParser(most, recorder);
  for (const chunk of chunks) reader.push(Buffer.from(chunk));
  return recorder.told;
}

/** The same bytes in pieces of one size. */
export function inPieces(bytes: Buffer, size: number): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size));
  return pieces;
}
