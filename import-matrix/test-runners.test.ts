/** The packed package in tests of users: Jest and Vitest, without flags and without configuration. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { compile, installation, runNode, tool } from './installation.ts';

const installed = await installation();

describe('test runners', { concurrency: 2 }, () => {
  for (const jest of ['jest29', 'jest30']) {
    test(`${jest} runs tests that require the package`, async () => {
      const folder = installed.folder(jest, 'commonjs', 'program.ts', 'jest.test.js');
      await compile('typescript', folder, ['program.ts'], { module: 'commonjs' });
      const printed = await runNode(folder, join(tool(jest), 'bin', 'jest.js'), '--ci');
      assert.match(printed, /^Tests: +2 passed, 2 total$/m);
    });
  }

  test('Vitest runs tests that import the package', async () => {
    const folder = installed.folder('vitest', 'module', 'program.ts', 'vitest.test.mjs');
    installed.link('vitest');
    await compile('typescript', folder, ['program.ts'], { module: 'nodenext' });
    const printed = await runNode(folder, join(tool('vitest'), 'vitest.mjs'), 'run', '--no-color');
    assert.match(printed, /^ +Tests +2 passed \(2\)$/m);
  });
});
