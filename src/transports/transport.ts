/**
 * An HTTP transport as data: a name, a content type, a prelude, and one function that encodes a frame. Polling is
 * streaming that ends after one frame.
 */
import { Escaper } from '../base/escape.ts';
import { memoizeEncoding } from '../base/memoize.ts';
import type { Payload } from '../base/payload.ts';
import type { TransportName } from '../base/transport-name.ts';
import type { Frame } from '../protocol/frame.ts';

export interface HttpTransport {
  readonly name: TransportName;
  readonly contentType: string;
  /** True if a response carries many frames, up to `responseLimit`; false if it carries one. */
  readonly streaming: boolean;
  /** Further response headers: alternating names and values. */
  readonly headers: readonly string[];
  /** True if the client passes the name of a function to call, in the query parameter `c`. */
  readonly needsCallback: boolean;
  /** Returns the text before the first frame. */
  prelude(callback: string): string;
  encode(frame: Frame, callback: string): Payload;
}

/** Header that turns off buffering of streams in proxies such as nginx. */
export const UNBUFFERED: readonly string[] = ['X-Accel-Buffering', 'no'];

/** Encodes the text of frames. Memoizes the result, so that a broadcast is encoded once. */
export interface FrameEncoder {
  readonly encodeShort: (frame: Frame) => string;
  /** Encodes a long frame as bytes, which several transports may share. */
  readonly encodeLong: (frame: Frame) => Buffer;
}

/** The text itself. */
export const PLAIN: FrameEncoder = {
  encodeShort: ({ text }) => text,
  encodeLong: memoizeEncoding(({ text }: Frame) => Buffer.from(text)),
};

const SCRIPT_ESCAPER = new Escaper(/</, new Map([['<', String.raw`\u003c`]]));

/** A JavaScript string literal without `<`, so that it cannot end a script element. */
export const SCRIPT_STRING: FrameEncoder = {
  encodeShort: memoizeEncoding(({ text }: Frame) =>
    SCRIPT_ESCAPER.escapeText(JSON.stringify(text)),
  ),
  encodeLong: memoizeEncoding(({ text }: Frame) =>
    SCRIPT_ESCAPER.escapeBytes(Buffer.from(JSON.stringify(text))),
  ),
};

/** Encodes a frame between two texts. */
export function encodeBetween(
  begin: string,
  { encodeShort, encodeLong }: FrameEncoder,
  end: string,
  frame: Frame,
): Payload {
  if (!frame.isLong) return begin + encodeShort(frame) + end;
  const pieces = [Buffer.from(begin), encodeLong(frame), Buffer.from(end)];
  return pieces.filter(({ length }) => length > 0);
}

/** Creates the function `encode` of a transport whose encoding does not depend on the client. */
export function frameEncoding(
  begin: string,
  encoder: FrameEncoder,
  end: string,
): (frame: Frame) => Payload {
  return memoizeEncoding((frame: Frame) => encodeBetween(begin, encoder, end, frame));
}
