/** htmlfile: a page in a hidden frame that never ends; a frame is a script element. */
import { HTML } from '../http/headers.ts';
import { type HttpTransport, UNBUFFERED, memoizeEncoded, scriptString } from './transport.ts';

// Browsers show nothing of a page before its first 1024 bytes.
const LEAST_LENGTH = 1025;

function page(callback: string): string {
  const html = `<!doctype html>
<html><head>
  <meta http-equiv="X-UA-Compatible" content="IE=edge" />
  <meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />
</head><body><h2>Don't panic!</h2>
  <script>
    document.domain = document.domain;
    var c = parent.${callback};
    c.start();
    function p(d) {c.message(d);};
    window.onload = function() {c.stop();};
  </script>
`;
  return `${html.padEnd(LEAST_LENGTH)}\r\n\r\n`;
}

export const HTMLFILE: HttpTransport = {
  name: 'htmlfile',
  contentType: HTML,
  streams: true,
  headers: UNBUFFERED,
  takesCallback: true,
  prelude: page,
  encode: memoizeEncoded((text) => `<script>\np(${scriptString(text)});\n</script>\r\n`),
};
