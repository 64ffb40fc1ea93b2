/** The browser client in Chromium. */
import { testClient } from './client-tests.ts';

testClient('Chromium');
