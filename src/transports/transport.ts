/**
 * An HTTP transport as data: a name, a content type, a prelude, and one function that encodes a frame. Polling is
 * streaming that ends after one frame.
 */
import { MAX_MEMOIZED_BYTES, memoizeLast } from '../base/memoize.ts';
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
  encode(frame: Frame, callback: string): string;
}

/** Header that turns off buffering of streams in proxies such as nginx. */
export const UNBUFFERED: readonly string[] = ['X-Accel-Buffering', 'no'];

/** Escaping can make an encoded frame longer than the frame. */
const MAX_MEMOIZED_ENCODING = 2 * MAX_MEMOIZED_BYTES;

/** Memoizes an encoding that does not depend on the client, so that a broadcast is encoded once. */
export function memoizeEncoding(encode: (text: string) => string): (frame: Frame) => string {
  return memoizeLast((frame: Frame) => encode(frame.text), MAX_MEMOIZED_ENCODING);
}

/** Returns a JavaScript string literal without `<`, so that it cannot end a script element. */
export function scriptString(text: string): string {
  return JSON.stringify(text).replaceAll('<', String.raw`\u003c`);
}
