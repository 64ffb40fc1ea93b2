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
  /** Further response headers, names and values in turn. */
  readonly headers: readonly string[];
  /** True if the client names a function to call, in the query parameter `c`. */
  readonly needsCallback: boolean;
  /** Returns the text before the first frame. */
  prelude(callback: string): string;
  encode(frame: Frame, callback: string): string;
}

/** Stops proxies such as nginx from buffering a stream. */
export const UNBUFFERED: readonly string[] = ['X-Accel-Buffering', 'no'];

/** An encoded frame may be longer than the frame: escaping grows it. */
const MAX_MEMOIZED_ENCODING = 2 * MAX_MEMOIZED_BYTES;

/** Encodes a frame once for all clients of a broadcast. For encodings that do not depend on the client. */
export function memoizeEncoding(encode: (text: string) => string): (frame: Frame) => string {
  return memoizeLast((frame: Frame) => encode(frame.text), MAX_MEMOIZED_ENCODING);
}

/** Returns a JavaScript string literal in which an HTML parser finds no end of a script element. */
export function scriptString(text: string): string {
  return JSON.stringify(text).replaceAll('<', String.raw`\u003c`);
}
