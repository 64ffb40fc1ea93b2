/** The browser client in Firefox. */
import { testClient } from './client-tests.ts';

testClient('Firefox');
