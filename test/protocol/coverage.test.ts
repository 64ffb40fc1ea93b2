/** Each file of protocol/ is fully covered, lines and branches, by the test of the same name alone. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { basename } from 'node:path';
import { test } from 'node:test';

// With this variable the inner run would report to the outer one instead of its standard output.
const { NODE_TEST_CONTEXT: _outer, ...environment } = process.env;

for (const file of globSync('src/protocol/*.ts')) {
  test(`${file} is fully covered by its own test`, () => {
    const { status, stdout } = spawnSync(
      process.execPath,
      [
        '--test',
        '--experimental-test-coverage',
        `--test-coverage-include=${file}`,
        '--test-coverage-lines=100',
        '--test-coverage-branches=100',
        '--test-coverage-functions=100',
        `test/protocol/${basename(file, '.ts')}.test.ts`,
      ],
      { encoding: 'utf8', env: environment },
    );
    assert.equal(status, 0, stdout.slice(-1500));
  });
}
