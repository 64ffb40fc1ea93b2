/**
 * JSONP polling: a frame is a script that calls the client's function. What keeps such an answer from
 * being turned against its own site (Rosetta Flash, reflected file download): the comment in front of
 * the callback, `nosniff`, and a file name.
 */
import { JAVASCRIPT } from '../http/headers.ts';
import { type HttpTransport, scriptString } from './transport.ts';

export const JSONP: HttpTransport = {
  name: 'jsonp',
  contentType: JAVASCRIPT,
  streams: false,
  headers: [
    'X-Content-Type-Options',
    'nosniff',
    'Content-Disposition',
    'attachment; filename=f.txt',
  ],
  takesCallback: true,
  prelude: () => '',
  encode: (frame, callback) => `/**/${callback}(${scriptString(frame.text)});\r\n`,
};
