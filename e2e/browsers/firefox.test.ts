/** Every transport in Firefox. */
import { testEngine } from './engine-tests.ts';

await testEngine('Firefox');
