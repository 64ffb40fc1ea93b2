/**
 * JSONP polling: each frame is a script that calls a function of the page. Three measures prevent attacks with such a
 * response (Rosetta Flash, reflected file download): the comment before the callback, `nosniff`, and the file name.
 */
import type { Payload } from '../base/payload.ts';
import { JAVASCRIPT } from '../http/headers.ts';
import { type HttpTransport, frameEncoder, scriptString } from './transport.ts';

const encode = frameEncoder(scriptString);

function callScript(callback: string, argument: Payload): Payload {
  const [begin, end] = [`/**/${callback}(`, ');\r\n'];
  if (typeof argument === 'string') return begin + argument + end;
  return Buffer.concat([Buffer.from(begin), argument, Buffer.from(end)]);
}

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
  encode: (frame, callback) => callScript(callback, encode(frame)),
};
