/** `npx sockjs-server demo` of the packed package, on the supported versions of Node. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { delimiter, dirname, join } from 'node:path';
import { type TestContext, after, before, test } from 'node:test';
import { openOfficial } from '../../testkit/official-client.ts';
import { Program, temporaryDirectory } from '../../testkit/process.ts';
import { portOf } from '../../testkit/server.ts';
import { ROOT, createProject, installNode, pack } from './project.ts';

const FILES = ['', 'style.css', 'client.js', 'multiplex-client.js', 'uplot.js', 'uplot.css'];
const PAGES = ['echo', 'chat', 'multiplex', 'stats'];
const USAGE = `Usage: npx sockjs-server demo [--port PORT]
       npx sockjs-server migrate [--write] [PATH...]
`;

const directory = await temporaryDirectory({ after });

before(async () => createProject(directory, await pack(directory)));

/**
 * Starts the command that npm has installed, with a version of Node first on the PATH. It is killed at the end of the
 * test.
 */
function startCommand(
  t: TestContext,
  args: readonly string[],
  { node = process.execPath, PORT = '' }: { node?: string; PORT?: string } = {},
): Program {
  const command = join(directory, 'node_modules', '.bin', 'sockjs-server');
  const PATH = [dirname(node), process.env['PATH']].join(delimiter);
  const program = new Program(command, args, { env: { PATH, PORT } });
  t.after(() => program.stop('SIGKILL'));
  return program;
}

async function assertServes(t: TestContext, program: Program): Promise<void> {
  const [, port] = await program.prints(/localhost:(\d+)/);
  const url = `http://127.0.0.1:${port}`;
  const paths = [...FILES, ...PAGES.flatMap((name) => [`${name}.html`, `${name}.js`])];
  for (const path of paths) assert.equal((await fetch(`${url}/${path}`)).status, 200, path);
  const client = await openOfficial(t, `${url}/echo`);
  client.send('hello');
  assert.equal(await client.messages.next(), 'hello');
  program.kill('SIGINT');
  assert.equal((await client.closed()).code, 1001);
  assert.deepEqual(await program.exited(), { code: 0, signal: null });
  assert.equal(program.stderr, '');
}

for (const range of ['20.19', '22', '26']) {
  test(`the demo runs on Node ${range}`, async (t) => {
    const node = await installNode(range);
    await assertServes(t, startCommand(t, ['demo', '--port', '0'], { node }));
  });
}

test('PORT is the port of the demo', async (t) => {
  await assertServes(t, startCommand(t, ['demo'], { PORT: '0' }));
});

test('the option --port has priority over PORT', async (t) => {
  await assertServes(t, startCommand(t, ['demo', '--port=0'], { PORT: 'invalid' }));
});

for (const args of [[], ['demonstrate'], ['demo', 'echo'], ['demo', '--prot', '0'], ['--port']]) {
  test(`\`sockjs-server ${args.join(' ')}\` prints the usage and exits with 1`, async (t) => {
    const program = startCommand(t, args);
    assert.deepEqual(await program.exited(), { code: 1, signal: null });
    assert.equal(program.stderr, USAGE);
    assert.equal(program.stdout, '');
  });
}

test('a port in use prints one line and exits with 1', async (t) => {
  const server = createServer().listen(0);
  t.after(() => server.close());
  await once(server, 'listening');
  const port = portOf(server);
  const program = startCommand(t, ['demo', '--port', String(port)]);
  assert.deepEqual(await program.exited(), { code: 1, signal: null });
  assert.match(program.stderr, new RegExp(`^Port ${port} is in use\\. .*--port ${port + 1}.*\\n$`));
});

test('the licence of uPlot is in its minified file', async () => {
  const file = join(directory, 'node_modules/sockjs-server/dist/demo/site/uplot.js');
  const [licence] =
    /^\/\*[^]*?\*\//.exec(
      await readFile(join(ROOT, 'node_modules/uplot/dist/uPlot.esm.js'), 'utf8'),
    ) ?? [];
  assert.match(licence ?? '', /MIT Licensed/);
  assert.ok((await readFile(file, 'utf8')).startsWith(licence ?? '-'));
});
