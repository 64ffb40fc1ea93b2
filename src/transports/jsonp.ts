/**
 * JSONP polling: a frame is a script that calls the client's function. Three things keep such a response from being
 * used against its own site (Rosetta Flash, reflected file download): the comment before the callback, `nosniff`, and
 * the file name.
 */
import { JAVASCRIPT } from '../http/headers.ts';
import { type HttpTransport, scriptString } from './transport.ts';

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
  encode: (frame, callback) => `/**/${callback}(${scriptString(frame.text)});\r\n`,
};
