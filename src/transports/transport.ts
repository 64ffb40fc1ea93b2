/**
 * A transport is a dialect: a name, a method, a content type, what comes before the first frame, and
 * one function that writes a frame. Polling is streaming that is full after one frame.
 */
import type { Frame } from '../protocol/frame.ts';
import { MAX_MEMOIZED_BYTES, memoizeLast } from '../base/memoize.ts';
import type { TransportName } from '../base/transport-name.ts';

export interface HttpTransport {
  readonly name: TransportName;
  readonly contentType: string;
  /** Whether one answer carries many frames, up to `responseLimit`. */
  readonly streams: boolean;
  /** Further headers, names and values in turn. */
  readonly headers: readonly string[];
  /** Whether the client names a function to be called, in the argument `c`. */
  readonly takesCallback: boolean;
  prelude(callback: string): string;
  encode(frame: Frame, callback: string): string;
}

/** Keeps proxies such as nginx from holding back the chunks of a stream. */
export const UNBUFFERED: readonly string[] = ['X-Accel-Buffering', 'no'];

/** Escaped for its dialect, a frame may have grown. */
const MAX_MEMOIZED_CHUNK_BYTES = 2 * MAX_MEMOIZED_BYTES;

/** For dialects whose writing does not depend on the client: one frame for many clients is written once. */
export function memoizeEncoded(encode: (text: string) => string): (frame: Frame) => string {
  return memoizeLast((frame: Frame) => encode(frame.text), MAX_MEMOIZED_CHUNK_BYTES);
}

/** `text` as a string literal for a script, which no HTML parser can mistake for the script's end. */
export function scriptString(text: string): string {
  return JSON.stringify(text).replaceAll('<', String.raw`\u003c`);
}
