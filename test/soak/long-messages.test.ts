import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { run } from '../../testkit/process.ts';

test('long messages to clients of all transports do not stop the event loop', async () => {
  const program = fileURLToPath(new URL('long-messages.ts', import.meta.url));
  // Fails, with the output of the program, if it exceeds a limit.
  await run(process.execPath, [program, '--clients', '70', '--mebibytes', '0.5'], {
    // The coverage of tests makes loops five times slower.
    env: { NODE_V8_COVERAGE: '' },
  });
});
