/** The packed package: its files, its entries, and an echo server that uses it. */
import assert from 'node:assert/strict';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { type TestContext, after, before, test } from 'node:test';
import { publint } from 'publint';
import { type ClientTransportName, openOfficial } from '../../testkit/official-client.ts';
import { temporaryDirectory } from '../../testkit/process.ts';
import { ROOT, createProject, pack, run, startServing } from './project.ts';

const directory = await temporaryDirectory({ after });
let tarball = '';

before(async () => {
  tarball = await pack(directory);
  await createProject(directory, tarball);
});

/** Paths of all files below a directory, with `/` on every system. */
async function filesBelow(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(root.length + 1)
        .replaceAll(sep, '/'),
    )
    .toSorted();
}

test('the package contains the built sources in both formats, the command, the demo, its documents, and nothing else', async () => {
  const client = (await filesBelow(join(ROOT, 'client'))).filter((name) => name.endsWith('.ts'));
  const sources = [
    ...(await filesBelow(join(ROOT, 'src'))),
    ...client.map((name) => `client/${name}`),
  ];
  const built = sources
    .map((name) => name.replace(/\.ts$/, ''))
    .flatMap((name) => [`dist/${name}.js`, `dist/${name}.d.ts`, `dist/esm/${name}.js`]);
  const formats = ['dist/package.json', 'dist/esm/package.json', 'dist/esm/client.js'];
  const command = 'dist/command/index.mjs';
  const demo = (await filesBelow(join(ROOT, 'examples')))
    .filter((name) => /^(?:chat|echo|multiplex|site|stats)\/.*\.(?:css|html|js|svg)$/.test(name))
    .concat('site/server.mjs', 'site/uplot.css', 'site/uplot.js')
    .map((name) => `dist/demo/${name}`);
  const documents = ['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json'];
  const packed = await filesBelow(join(directory, 'node_modules', 'sockjs-server'));
  assert.deepEqual(packed, [...built, ...demo, command, ...formats, ...documents].toSorted());
});

interface Entry {
  readonly types: string;
  readonly module: string;
  readonly default: string;
}

interface Manifest {
  readonly main: string;
  readonly types: string;
  readonly typesVersions: Readonly<Record<'*', Readonly<Record<string, readonly string[]>>>>;
  readonly exports: Readonly<Record<string, string | Entry>>;
}

test('tools that ignore exports find the same files', async () => {
  const text = await readFile(join(ROOT, 'package.json'), 'utf8');
  const { main, types, typesVersions, exports } = JSON.parse(text) as Manifest;
  const byName: Record<string, readonly string[]> = {};
  for (const [name, entry] of Object.entries(exports)) {
    if (typeof entry === 'string') continue;
    assert.equal(entry.types, entry.default.replace(/\.js$/, '.d.ts'));
    assert.equal(entry.module, entry.default.replace('./dist/', './dist/esm/'));
    if (name === '.') assert.deepEqual([main, types], [entry.default, entry.types]);
    else byName[name.replace('./', '')] = [entry.types];
  }
  assert.deepEqual(typesVersions, { '*': byName });
});

test('publint reports no problem', async () => {
  const { buffer, byteOffset, byteLength } = await readFile(tarball);
  assert.ok(buffer instanceof ArrayBuffer);
  const packed = buffer.slice(byteOffset, byteOffset + byteLength);
  const { messages } = await publint({ pack: { tarball: packed }, strict: true });
  assert.deepEqual(messages, []);
});

test('arethetypeswrong reports no problem', async () => {
  const attw = join(ROOT, 'node_modules', '@arethetypeswrong', 'cli', 'dist', 'index.js');
  const args = [tarball, '--profile', 'strict', '--format', 'ascii', '--no-color'];
  await run(ROOT, process.execPath, attw, ...args);
});

const EXAMPLE = `import { SockJSConnection, SockJSRouter } from 'sockjs-server';

class Echo extends SockJSConnection {
  override onMessage(message: string) {
    this.send(message);
  }
}

new SockJSRouter(Echo, '/echo').listen(9999);
`;

async function assertEchoes(t: TestContext, file: string): Promise<void> {
  const program = await startServing(file);
  const assertEcho = async (transports: ClientTransportName): Promise<void> => {
    const client = await openOfficial(t, `http://127.0.0.1:${program.port}/echo`, { transports });
    client.send('hello');
    assert.equal(await client.messages.next(), 'hello');
    client.close();
  };
  try {
    await Promise.all([assertEcho('websocket'), assertEcho('xhr-polling')]);
  } finally {
    await program.stop();
  }
}

test('an echo server compiles under strict and runs', async (t) => {
  const config = {
    compilerOptions: { strict: true, module: 'nodenext', outDir: 'js' },
    files: ['echo.ts', 'required.cts'],
  };
  await writeFile(join(directory, 'tsconfig.json'), JSON.stringify(config));
  await writeFile(join(directory, 'echo.ts'), EXAMPLE);
  // The compiler compiles the imports of a .cts file to `require`.
  await writeFile(join(directory, 'required.cts'), EXAMPLE);
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  await run(directory, process.execPath, tsc, '-p', directory);

  await t.test('as TypeScript', () => assertEchoes(t, join(directory, 'echo.ts')));
  await t.test('as a JavaScript module', () => assertEchoes(t, join(directory, 'js', 'echo.js')));
  await t.test('as CommonJS, which requires the package', async () => {
    const file = join(directory, 'js', 'required.cjs');
    assert.match(await readFile(file, 'utf8'), /require\("sockjs-server"\)/);
    await assertEchoes(t, file);
  });
});
