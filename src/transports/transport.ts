/**
 * An HTTP transport as data: a name, a content type, a prelude, and one function that encodes a frame. Polling is
 * streaming that ends after one frame.
 */
import { createEscaper } from '../base/escape.ts';
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

/** Creates the encoder of a transport from a function that does not depend on the client. */
export function frameEncoder(encode: (text: string) => string): (frame: Frame) => Payload {
  return memoizeEncoding(({ text, isLong }: Frame): Payload => {
    const encoded = encode(text);
    return isLong ? Buffer.from(encoded) : encoded;
  });
}

const escapeScript = createEscaper(/</, new Map([['<', String.raw`\u003c`]]));

/** Returns a JavaScript string literal without `<`, so that it cannot end a script element. */
export function scriptString(text: string): string {
  return escapeScript(JSON.stringify(text));
}
