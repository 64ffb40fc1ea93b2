/** EventSource: a frame is the data of one event. */
import { type HttpTransport, UNBUFFERED, memoizeEncoded } from './transport.ts';

const SPECIAL = new Map([
  ['%', '%25'],
  ['\r', '%0D'],
  ['\n', '%0A'],
  ['\0', '%00'],
]);

// The client runs decodeURI over the data, and a line break or NUL would end or spoil the event. No
// frame holds a raw one, as JSON escapes them; the encoder does not rely on that.
// oxlint-disable-next-line no-control-regex -- control characters are what has to be found
const TO_ENCODE = /[%\r\n\0]/g;

function percentEncode(text: string): string {
  return text.replace(TO_ENCODE, (character) => SPECIAL.get(character) ?? character);
}

export const EVENTSOURCE: HttpTransport = {
  name: 'eventsource',
  contentType: 'text/event-stream',
  streams: true,
  headers: UNBUFFERED,
  takesCallback: false,
  prelude: () => '\r\n',
  encode: memoizeEncoded((text) => `data: ${percentEncode(text)}\r\n\r\n`),
};
