/** XHR polling and streaming: each frame is a line. */
import { JAVASCRIPT } from '../http/headers.ts';
import { type HttpTransport, PLAIN, UNBUFFERED, frameEncoding } from './transport.ts';

// Internet Explorer passes a streaming response to scripts only after its first 2 KiB. PROTOCOL.md, "Transports".
const PRELUDE = `${'h'.repeat(2048)}\n`;

const encode = frameEncoding('', PLAIN, '\n');

export const XHR: HttpTransport = {
  name: 'xhr',
  contentType: JAVASCRIPT,
  streaming: false,
  headers: [],
  needsCallback: false,
  prelude: () => '',
  encode,
};

export const XHR_STREAMING: HttpTransport = {
  ...XHR,
  name: 'xhr_streaming',
  streaming: true,
  headers: UNBUFFERED,
  prelude: () => PRELUDE,
};
