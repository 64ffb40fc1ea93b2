/** `npm start` and `npm run example` with each supported version of Node first on the PATH. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync } from 'node:fs';
import { delimiter, dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { installNode, run } from '../package/project.ts';

const START_TIMEOUT_MS = 30_000;
const EXAMPLES = globSync('*/server.ts', { cwd: 'examples' }).map(dirname).toSorted();
const [OLDEST, ...NEWER] = ['20.19', '22', '26'] as const;

async function pathWith(range: string): Promise<string> {
  const node = await installNode(range);
  const { stdout } = await run('.', node, '--version');
  assert.ok(stdout.startsWith(`v${range}.`), stdout);
  return [dirname(node), process.env['PATH']].join(delimiter);
}

/** Starts npm without the build before it, because other tests use `dist/` at the same time. */
async function assertStarts(
  t: TestContext,
  range: string,
  ...command: readonly string[]
): Promise<void> {
  const child = spawn('npm', ['--silent', '--ignore-scripts', ...command], {
    env: { PATH: await pathWith(range), HOME: process.env['HOME'], PORT: '0', WORKERS: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true, // A process group, so that all of its processes can be ended.
  });
  const { pid } = child;
  assert.ok(pid !== undefined);
  const exited = once(child, 'close');
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  t.after(async () => {
    process.kill(-pid, 'SIGTERM');
    await exited;
    assert.equal(errors, '');
  });

  const signal = AbortSignal.timeout(START_TIMEOUT_MS);
  const lines = createInterface(child.stdout);
  const line = await Promise.race([
    once(lines, 'line', { signal }).then(([text]) => String(text)),
    exited.then(([code]) => assert.fail(`npm ended with ${code}: ${errors}`)),
  ]);
  const [, port] = /(?:localhost:|port: |0\.1:)(\d+)/.exec(line) ?? [];
  assert.ok(port !== undefined, line);
  assert.ok((await fetch(`http://127.0.0.1:${port}/`)).status < 500);
}

test('the examples are found', () => {
  assert.ok(EXAMPLES.length >= 9);
});

for (const name of EXAMPLES) {
  test(`\`npm run example -- ${name}\` serves with Node ${OLDEST} on the PATH`, async (t) => {
    await assertStarts(t, OLDEST, 'run', 'example', '--', name);
  });
}

test(`\`npm start\` starts the demo site with Node ${OLDEST} on the PATH`, async (t) => {
  await assertStarts(t, OLDEST, 'start');
});

for (const range of NEWER) {
  test(`\`npm start\` and \`npm run example\` work with Node ${range} on the PATH`, async (t) => {
    await assertStarts(t, range, 'start');
    await assertStarts(t, range, 'run', 'example', '--', 'echo');
  });
}

test('an unknown name lists the examples', async () => {
  await assert.rejects(
    run('.', 'npm', 'run', '--silent', '--ignore-scripts', 'example', '--', 'nothing'),
    { message: new RegExp(`Usage: npm run example -- ${EXAMPLES.join('\\|')}`) },
  );
});
