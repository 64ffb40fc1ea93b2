/** htmlfile: an endless page in a hidden iframe. Each frame is a script element. */
import { HTML } from '../http/headers.ts';
import { type HttpTransport, SCRIPT_STRING, UNBUFFERED, frameEncoding } from './transport.ts';

// Browsers render a page only after its first 1 KiB.
const MIN_PRELUDE_LENGTH = 1025;

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
  return `${html.padEnd(MIN_PRELUDE_LENGTH)}\r\n\r\n`;
}

export const HTMLFILE: HttpTransport = {
  name: 'htmlfile',
  contentType: HTML,
  streaming: true,
  headers: UNBUFFERED,
  needsCallback: true,
  prelude: page,
  encode: frameEncoding('<script>\np(', SCRIPT_STRING, ');\n</script>\r\n'),
};
