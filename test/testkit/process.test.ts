import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { activeResources, collectGarbage, heapUsed } from '../../testkit/memory.ts';
import { Program, run, startNode, temporaryDirectory } from '../../testkit/process.ts';
import { freePorts } from '../../testkit/server.ts';

async function script(t: TestContext, source: string): Promise<string> {
  const file = join(await temporaryDirectory(t), 'script.mjs');
  await writeFile(file, source);
  return file;
}

test('a program is started, read and ended', async (t) => {
  const file = await script(
    t,
    `process.on('SIGTERM', () => process.exit(3)); setInterval(() => {}, 1e6);
    console.error('warning'); console.log('port: ' + process.env.PORT);`,
  );
  const program = startNode(t, file, [], { env: { PORT: '4711' } });
  const [, port] = await program.prints(/port: (\d+)/);
  assert.equal(port, '4711');
  await program.prints(/warning/);
  assert.equal(program.hasExited, false);
  assert.deepEqual(await program.stop(), { code: 3, signal: null });
  assert.ok(program.hasExited);
  assert.deepEqual(program.stdout, 'port: 4711\n');
  assert.deepEqual(program.stderr, 'warning\n');
  program.kill('SIGKILL'); // Nothing to do.
});

test('several tests may wait for the output of a program at the same time', async (t) => {
  const source = `setTimeout(() => console.log('first'), 100); setTimeout(() => console.log('second'), 150);`;
  const program = startNode(t, await script(t, source));
  const printed = await Promise.all([program.prints(/second/), program.prints(/first/)]);
  assert.deepEqual(printed.map(String), ['second', 'first']);
});

test('a program that ends early is an error with its output', async (t) => {
  const program = startNode(t, await script(t, `console.log('so far'); process.exitCode = 1;`));
  await assert.rejects(program.prints(/never/), /ended:\nso far/);
  await assert.rejects(program.listens(await freePorts(1)), /ended:\nso far/);
  await assert.rejects(program.nextMessage(), /has ended/);
});

test('a program that does not print in time is an error', async (t) => {
  const program = startNode(t, await script(t, 'setInterval(() => {}, 1e6);'));
  await assert.rejects(program.prints(/never/, { timeout: 50 }), /50 ms waiting for .*never/);
});

test('a program that there is not is an error', async () => {
  const program = new Program('no-such-program');
  await assert.rejects(program.prints(/x/), /ENOENT/);
  assert.deepEqual(await program.stop(), { code: null, signal: null });
});

test('listens waits for a port', async (t) => {
  const [port = 0] = await freePorts(1);
  const file = await script(
    t,
    `import { createServer } from 'node:net';
    setTimeout(() => createServer().listen(${port}, '127.0.0.1'), 100);`,
  );
  await startNode(t, file).listens([port]);
});

test('messages go both ways over IPC', async (t) => {
  const file = await script(t, `process.on('message', (text) => process.send({ text }));`);
  const program = startNode(t, file, [], { ipc: true });
  program.send('a');
  program.send('b');
  assert.deepEqual(await program.nextMessage(), { text: 'a' });
  assert.deepEqual(await program.nextMessage(), { text: 'b' });
  program.disconnect();
  assert.deepEqual(await program.exited(), { code: 0, signal: null });
});

test('run returns the output, or throws an error with it', async (t) => {
  const file = await script(
    t,
    `console.log(process.argv[2], process.env.NODE_TEST_CONTEXT);
    if (process.argv[2] === 'fail') process.exitCode = 2;`,
  );
  const { stdout, stderr } = await run(process.execPath, [file, 'fine']);
  assert.deepEqual({ stdout, stderr }, { stdout: 'fine undefined\n', stderr: '' });
  await assert.rejects(run(process.execPath, [file, 'fail']), /ended with 2:\nfail/);
  const forever = await script(t, 'setInterval(() => {}, 1e6);');
  await assert.rejects(run(process.execPath, [forever], { timeout: 100 }), /100 ms/);
});

test('a temporary directory is removed at the end', async (t) => {
  let directory = '';
  await t.test('while it is there', async (sub) => {
    directory = await temporaryDirectory(sub);
    assert.ok(existsSync(directory));
  });
  assert.equal(existsSync(directory), false);
});

test('garbage is collected', async () => {
  await collectGarbage();
  const before = await heapUsed();
  const kept = Array.from({ length: 1e6 }, (_, index) => ({ index }));
  assert.ok((await heapUsed()) > before + 1e6);
  kept.length = 0;
  assert.ok((await heapUsed()) < before + 1e6);
});

test('what keeps the process alive is counted', () => {
  const { Timeout: before = 0 } = activeResources();
  const timer = setTimeout(() => {}, 1000);
  assert.equal(activeResources()['Timeout'], before + 1);
  assert.equal(activeResources(['Timeout'])['Timeout'], undefined);
  clearTimeout(timer);
});
