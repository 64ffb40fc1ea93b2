/** The demo site in Firefox. */
import { testDemo } from './demo-tests.ts';

testDemo('Firefox');
