/** The browser client in WebKit. */
import { testClient } from './client-tests.ts';

testClient('WebKit');
