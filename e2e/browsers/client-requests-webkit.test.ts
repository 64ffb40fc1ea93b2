/** Requests of the browser client across origins in WebKit. */
import { testClientRequests } from './client-requests-tests.ts';

testClientRequests('WebKit');
