/** Every transport in WebKit. */
import { testEngine } from './engine-tests.ts';

await testEngine('WebKit');
