/** The browser client in WebKit. */
import { testClientRequests } from './client-requests-tests.ts';
import { testClient } from './client-tests.ts';

testClient('WebKit');
testClientRequests('WebKit');
