/** The browser client in Firefox. */
import { testClientRequests } from './client-requests-tests.ts';
import { testClient } from './client-tests.ts';

testClient('Firefox');
testClientRequests('Firefox');
