/**
 * JSONP polling: each frame is a script that calls a function of the page. Three measures prevent attacks with such a
 * response (Rosetta Flash, reflected file download): the comment before the callback, `nosniff`, and the file name.
 */
import { JAVASCRIPT } from '../http/headers.ts';
import { type HttpTransport, SCRIPT_STRING, encodeBetween } from './transport.ts';

export const JSONP: HttpTransport = {
  name: 'jsonp',
  contentType: JAVASCRIPT,
  streaming: false,
  headers: [
    'X-Content-Type-Options',
    'nosniff',
    'Content-Disposition',
    'attachment; filename=f.txt',
  ],
  needsCallback: true,
  prelude: () => '',
  encode: (frame, callback) => encodeBetween(`/**/${callback}(`, SCRIPT_STRING, ');\r\n', frame),
};
