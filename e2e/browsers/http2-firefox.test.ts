/** HTTP/2 in Firefox. */
import { testHttp2 } from './http2-tests.ts';

testHttp2('Firefox', { extendedConnect: true, oneConnection: true, endsResponses: true });
