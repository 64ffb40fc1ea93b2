/** The conformance tests again, with HTTP/2 between a gateway and the server: see testkit/http2-gateway.ts. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';

/** Tests of each file that do not apply to HTTP/2. `http10.test.ts` tests nothing else. */
const FILES: Readonly<Record<string, readonly RegExp[]>> = {
  'bad-input': [
    /http:\/\/|of \*|GET \*|POST \*/, // A client of HTTP/2 cannot send these targets.
    /upgrade|offer/, // CONNECT is no upgrade of a plain request.
    /the connection serves another request or is closed/, // Only the stream ends: test/hosts/http2/.
  ],
  'client-messages': [],
  compression: [
    /whatever their length/, // Its 10 MiB fit into the buffers of a socket, but not into the window of a stream.
  ],
  frames: [],
  headers: [],
  'session-lifecycle': [],
  transports: [/percent-encoded/], // It expects chunks.
  urls: [],
  websocket: [/Connection: |with an upgrade is 405|a handshake with|draft/], // The handshake of HTTP/1.1.
};

const FILE_TIMEOUT = new URL('../../testkit/file-timeout.ts', import.meta.url).href;

async function run(file: string, skipped: readonly RegExp[]): Promise<string> {
  const args = [
    `--import=${FILE_TIMEOUT}`,
    '--test',
    '--test-timeout=60000',
    '--test-reporter=tap',
    ...skipped.map(({ source }) => `--test-skip-pattern=${source}`),
    join(import.meta.dirname, `${file}.test.ts`),
  ];
  const { NODE_TEST_CONTEXT: _context, ...environment } = process.env;
  const child = spawn(process.execPath, args, {
    env: { ...environment, TEST_OVER_HTTP2: '1' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return text(child.stdout);
}

for (const [file, skipped] of Object.entries(FILES)) {
  test(`${file}.test.ts passes over HTTP/2`, async () => {
    const output = await run(file, skipped);
    const failures = output.split('\n').filter((line) => /^\s*not ok /.test(line));
    assert.deepEqual(failures, []);
    const passed = Number(/^# pass (\d+)$/m.exec(output)?.[1]);
    assert.ok(passed >= 20, `only ${passed} tests ran`);
  });
}
