/**
 * HTTP/2 in WebKit. With libsoup, the HTTP library of WebKitGTK, it opens WebSockets over HTTP/1.1 whatever the server
 * offers, and a new connection for each POST, of which it has six at a time. It does not notice that a connection is
 * reset on which it receives a response, so that only a client with a heartbeat timeout comes back.
 */
import { testHttp2 } from './http2-tests.ts';

testHttp2('WebKit', { extendedConnect: false, oneConnection: false, endsResponses: false });
