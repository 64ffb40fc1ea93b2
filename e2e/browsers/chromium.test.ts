/** Every transport in Chromium. */
import { testEngine } from './engine-tests.ts';

await testEngine('Chromium');
