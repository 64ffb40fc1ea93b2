/** EventSource: each frame is the data of one event. */
import { type HttpTransport, UNBUFFERED, memoizeEncoding } from './transport.ts';

const ENCODED_CHARACTERS = new Map([
  ['%', '%25'],
  ['\r', '%0D'],
  ['\n', '%0A'],
  ['\0', '%00'],
]);

// The client decodes the data with `decodeURI`, and a line break or NUL would break the event. JSON escapes both, but
// the encoder does not rely on that.
// oxlint-disable-next-line no-control-regex -- the pattern finds control characters
const SPECIAL = /[%\r\n\0]/g;

function percentEncode(text: string): string {
  return text.replace(SPECIAL, (character) => ENCODED_CHARACTERS.get(character) ?? character);
}

export const EVENTSOURCE: HttpTransport = {
  name: 'eventsource',
  contentType: 'text/event-stream',
  streaming: true,
  headers: UNBUFFERED,
  needsCallback: false,
  prelude: () => '\r\n',
  encode: memoizeEncoding((text) => `data: ${percentEncode(text)}\r\n\r\n`),
};
