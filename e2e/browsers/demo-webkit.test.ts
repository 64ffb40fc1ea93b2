/** The demo site in WebKit. */
import { testDemo } from './demo-tests.ts';

testDemo('WebKit');
