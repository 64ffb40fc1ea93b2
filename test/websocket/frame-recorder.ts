/** Records what a frame parser makes of a client's bytes. */
import { CLOSE_REASONS } from '../../src/base/close-reasons.ts';
import {
  type ParserFault,
  type WsFrameListener,
  WsFrameParser,
} from '../../src/websocket/frame-parser.ts';
import { OPCODE, encodeFrame } from '../../testkit/websocket-frames.ts';

/** An event of a parser, a WebSocket or its client: its name and its details. Bytes are hexadecimal digits. */
export type WsEvent = readonly [name: string, ...details: (string | number)[]];

export class FrameRecorder implements WsFrameListener {
  readonly events: WsEvent[] = [];

  onText(text: string): void {
    this.events.push(['text', text]);
  }

  onBinary(data: Buffer): void {
    this.events.push(['binary', data.toString('hex')]);
  }

  onPing(data: Buffer): void {
    this.events.push(['ping', data.toString('hex')]);
  }

  onCloseFrame(code: number, reason: string): void {
    this.events.push(['close', code, reason]);
  }

  onError(fault: ParserFault): void {
    this.events.push(['error', CLOSE_REASONS[fault].code]);
  }
}

/** One text frame. */
export const HELLO: Buffer = encodeFrame(OPCODE.text, 'Hello');

/** The only event of a stream that begins with this error. */
export function errorEvent(code: number): WsEvent[] {
  return [['error', code]];
}

export const MAX_MESSAGE_BYTES = 100_000;

/** The events of a parser that gets these chunks. It gets copies, because it unmasks in place. */
export function parse(
  chunks: readonly Uint8Array[],
  maxMessageBytes = MAX_MESSAGE_BYTES,
): WsEvent[] {
  const recorder = new FrameRecorder();
  const parser = new WsFrameParser(maxMessageBytes, recorder);
  for (const chunk of chunks) parser.push(Buffer.from(chunk));
  return recorder.events;
}

/** The same bytes in chunks of one size. */
export function splitBytes(bytes: Buffer, size: number): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
  return chunks;
}
