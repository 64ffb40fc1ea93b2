/** EventSource: each frame is the data of one event. */
import { Escaper } from '../base/escape.ts';
import { memoizeEncoding } from '../base/memoize.ts';
import type { Frame } from '../protocol/frame.ts';
import {
  type FrameEncoder,
  type HttpTransport,
  PLAIN,
  UNBUFFERED,
  frameEncoding,
} from './transport.ts';

// The client decodes the data with `decodeURI`, and a line break or NUL would break the event. JSON escapes both, but
// the encoder does not rely on that.
// oxlint-disable-next-line no-control-regex -- the pattern finds control characters
const SPECIAL = /[%\r\n\0]/;

const ESCAPER = new Escaper(
  SPECIAL,
  new Map([
    ['%', '%25'],
    ['\r', '%0D'],
    ['\n', '%0A'],
    ['\0', '%00'],
  ]),
);

const PERCENT_ENCODED: FrameEncoder = {
  encodeShort: ({ text }) => ESCAPER.escapeText(text),
  encodeLong: memoizeEncoding((frame: Frame) => ESCAPER.escapeBytes(PLAIN.encodeLong(frame))),
};

export const EVENTSOURCE: HttpTransport = {
  name: 'eventsource',
  contentType: 'text/event-stream',
  streaming: true,
  headers: UNBUFFERED,
  needsCallback: false,
  prelude: () => '\r\n',
  encode: frameEncoding('data: ', PERCENT_ENCODED, '\r\n\r\n'),
};
