/** HTTP/2 in Chromium. */
import { testHttp2 } from './http2-tests.ts';

testHttp2('Chromium', { extendedConnect: true, oneConnection: true, endsResponses: true });
