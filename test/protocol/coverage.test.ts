/**
 * Each file of protocol/ and websocket/ is fully covered by the tests of its own name. Branches are included only in
 * protocol/: in websocket/ the defaults of indexes that are always in range are branches too.
 */
import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { test } from 'node:test';
import { run } from '../../testkit/process.ts';

/** Only constants. */
const WITHOUT_TEST = new Set(['src/websocket/opcodes.ts']);

for (const file of globSync('src/{protocol,websocket}/*.ts')) {
  if (WITHOUT_TEST.has(file)) continue;
  test(`${file} is fully covered by its own tests`, async () => {
    const folder = basename(dirname(file));
    const name = basename(file, '.ts');
    const tests = globSync(`test/${folder}/${name}{,-compressed,-control}.test.ts`);
    assert.ok(tests.length > 0, `test/${folder}/${name}.test.ts is missing`);
    // Fails, with the output of the inner run, if a test fails or the coverage is too low.
    const args = [
      '--test',
      '--experimental-test-coverage',
      `--test-coverage-include=${file}`,
      '--test-coverage-lines=100',
      `--test-coverage-branches=${folder === 'protocol' ? 100 : 0}`,
      '--test-coverage-functions=100',
      ...tests,
    ];
    // Coverage of code from the compile cache is not exact.
    await run(process.execPath, args, { env: { NODE_DISABLE_COMPILE_CACHE: '1' } });
  });
}
