/** The demo site in Chromium. */
import { testDemo } from './demo-tests.ts';

testDemo('Chromium');
