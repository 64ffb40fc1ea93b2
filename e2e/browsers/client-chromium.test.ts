/** The browser client in Chromium. */
import { testClientRequests } from './client-requests-tests.ts';
import { testClient } from './client-tests.ts';

testClient('Chromium');
testClientRequests('Chromium');
