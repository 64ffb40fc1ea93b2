/** EventSource: each frame is the data of one event. */
import { createEscaper } from '../base/escape.ts';
import { type HttpTransport, UNBUFFERED, frameEncoder } from './transport.ts';

// The client decodes the data with `decodeURI`, and a line break or NUL would break the event. JSON escapes both, but
// the encoder does not rely on that.
// oxlint-disable-next-line no-control-regex -- the pattern finds control characters
const SPECIAL = /[%\r\n\0]/;

const percentEncode = createEscaper(
  SPECIAL,
  new Map([
    ['%', '%25'],
    ['\r', '%0D'],
    ['\n', '%0A'],
    ['\0', '%00'],
  ]),
);

export const EVENTSOURCE: HttpTransport = {
  name: 'eventsource',
  contentType: 'text/event-stream',
  streaming: true,
  headers: UNBUFFERED,
  needsCallback: false,
  prelude: () => '\r\n',
  encode: frameEncoder((text) => `data: ${percentEncode(text)}\r\n\r\n`),
};
