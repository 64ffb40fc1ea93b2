/** Test files that do not end: testkit/file-timeout.ts. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';

const FILE_TIMEOUT = new URL('../../testkit/file-timeout.ts', import.meta.url).href;

const FILES = {
  'a passing test leaves a server open': [
    "test('passes', () => createServer().listen(0, '127.0.0.1'));",
    /has not ended after 3000 ms.*"type":"tcp".*127\.0\.0\.1/s,
  ],
  'a hook never ends': [
    "after(() => new Promise(() => setInterval(() => {}, 1000)));\ntest('passes', () => {});",
    /has not ended after 3000 ms.*Timeout/s,
  ],
} as const;

for (const [name, [code, expected]] of Object.entries(FILES)) {
  test(`a test file ends and prints what is open when ${name}`, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'file-timeout-'));
    t.after(() => rm(folder, { recursive: true }));
    const file = join(folder, 'open.test.mjs');
    const imports =
      "import { createServer } from 'node:net';\nimport { after, test } from 'node:test';\n";
    await writeFile(file, imports + code);
    const { NODE_TEST_CONTEXT: _context, ...environment } = process.env;
    const runner = spawn(process.execPath, [`--import=${FILE_TIMEOUT}`, '--test', file], {
      env: { ...environment, TEST_FILE_TIMEOUT_MS: '3000' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(runner, 'close');
    const output = await text(runner.stdout);
    assert.deepEqual(await ended, [1, null]);
    assert.match(output, expected);
  });
}
