/** XHR polling and streaming: a frame is a line. */
import { JAVASCRIPT } from '../http/headers.ts';
import { type HttpTransport, UNBUFFERED, memoizeEncoded } from './transport.ts';

const encode = memoizeEncoded((text) => `${text}\n`);

// Some browsers show nothing of a response before its first 2 KiB.
const PADDING = `${'h'.repeat(2048)}\n`;

export const XHR: HttpTransport = {
  name: 'xhr',
  contentType: JAVASCRIPT,
  streams: false,
  headers: [],
  takesCallback: false,
  prelude: () => '',
  encode,
};

export const XHR_STREAMING: HttpTransport = {
  name: 'xhr_streaming',
  contentType: JAVASCRIPT,
  streams: true,
  headers: UNBUFFERED,
  takesCallback: false,
  prelude: () => PADDING,
  encode,
};
