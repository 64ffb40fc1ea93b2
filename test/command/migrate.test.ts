/** `npx sockjs-server migrate` on the files of projects. */
import assert from 'node:assert/strict';
import {
  chmod,
  mkdir,
  readFile,
  readdir,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Program, temporaryDirectory } from '../../testkit/process.ts';

const COMMAND = fileURLToPath(new URL('../../command/index.ts', import.meta.url));
const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string };
const DROP_IN = `npm:sockjs-server-drop-in@^${version}`;

const BEFORE = "const sockjs = require('sockjs');\n";
const AFTER = "const sockjs = require('sockjs-server/sockjs');\n";
const LINE = '`sockjs` becomes `sockjs-server/sockjs`.';

type Files = Readonly<Record<string, string | Uint8Array>>;

async function createProject(t: TestContext, files: Files): Promise<string> {
  const directory = await temporaryDirectory(t);
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(directory, name)), { recursive: true });
    await writeFile(join(directory, name), content);
  }
  return directory;
}

interface Result {
  readonly code: number | null;
  readonly stderr: string;
  readonly lines: readonly string[];
}

async function migrate(cwd: string, ...args: readonly string[]): Promise<Result> {
  const program = Program.node(COMMAND, ['migrate', ...args], { cwd });
  const { code } = await program.exited();
  return { code, stderr: program.stderr, lines: program.stdout.trimEnd().split('\n') };
}

async function assertContents(directory: string, files: Files): Promise<void> {
  for (const [name, content] of Object.entries(files))
    assert.deepEqual(await readFile(join(directory, name)), Buffer.from(content), name);
}

test('reports what it would rewrite, and changes no file without --write', async (t) => {
  const files = { 'server.js': `\n${BEFORE}`, 'src/a.ts': BEFORE, 'other.js': 'let a;\n' };
  const directory = await createProject(t, files);
  assert.deepEqual(await migrate(directory), {
    code: 0,
    stderr: '',
    lines: [
      `server.js:2: ${LINE}`,
      `src/a.ts:1: ${LINE}`,
      '2 module names in 2 files to rewrite, 0 lines to check.',
      'No file is changed without --write.',
    ],
  });
  await assertContents(directory, files);
});

test('rewrites the programs of all extensions with --write, and nothing at a second time', async (t) => {
  const names = ['js', 'cjs', 'mjs', 'jsx', 'ts', 'cts', 'mts', 'tsx'].map((name) => `a.${name}`);
  const others = { 'a.json': BEFORE, 'a.md': BEFORE, js: BEFORE };
  const programs = Object.fromEntries(names.map((name) => [name, BEFORE]));
  const directory = await createProject(t, { ...programs, ...others });
  const first = await migrate(directory, '--write');
  assert.deepEqual(first.lines.slice(-1), [
    '8 module names in 8 files rewritten, 0 lines to check.',
  ]);
  const expected = { ...Object.fromEntries(names.map((name) => [name, AFTER])), ...others };
  await assertContents(directory, expected);
  assert.deepEqual(await migrate(directory, '--write'), {
    code: 0,
    stderr: '',
    lines: ['0 module names in 0 files rewritten, 0 lines to check.'],
  });
  await assertContents(directory, expected);
  assert.equal((await readdir(directory)).length, Object.keys(expected).length);
});

test('skips node_modules, folders with a dot, and symbolic links', async (t) => {
  const outside = await createProject(t, { 'a.js': BEFORE, 'folder/b.js': BEFORE });
  const files = { 'node_modules/a/a.js': BEFORE, '.git/a.js': BEFORE, 'lib/c.js': AFTER };
  const directory = await createProject(t, files);
  await symlink(join(outside, 'a.js'), join(directory, 'link.js'));
  await symlink(join(outside, 'folder'), join(directory, 'linked'));
  await symlink('..', join(directory, 'lib', 'circle'));
  const { lines } = await migrate(directory, '--write');
  assert.deepEqual(lines, ['0 module names in 0 files rewritten, 0 lines to check.']);
  await assertContents(directory, files);
  await assertContents(outside, { 'a.js': BEFORE, 'folder/b.js': BEFORE });
});

test('handles the given files and folders, each file once', async (t) => {
  const directory = await createProject(t, { 'a/b.js': BEFORE, 'c.js': BEFORE, 'bin/d': BEFORE });
  const { lines } = await migrate(directory, '--write', 'a', 'bin/d', 'a/b.js', './a');
  assert.deepEqual(lines.slice(0, 2), [`a/b.js:1: ${LINE}`, `bin/d:1: ${LINE}`]);
  await assertContents(directory, { 'a/b.js': AFTER, 'c.js': BEFORE, 'bin/d': AFTER });
});

test('keeps the bytes of any encoding, and the mode of the file', async (t) => {
  const rest = Buffer.from([0xef, 0xbb, 0xbf, 0xe9, 0xff, 0x0d, 0x0a, 0xe2, 0x82, 0xac]);
  const before = Buffer.concat([Buffer.from(BEFORE), rest]);
  const directory = await createProject(t, { 'a.js': before });
  await chmod(join(directory, 'a.js'), 0o751);
  await migrate(directory, '--write');
  await assertContents(directory, { 'a.js': Buffer.concat([Buffer.from(AFTER), rest]) });
  assert.equal((await stat(join(directory, 'a.js'))).mode & 0o777, 0o751);
});

test('writes only files that change', async (t) => {
  const directory = await createProject(t, { 'a.js': `${AFTER}conn.close('404');\n` });
  const past = new Date(0);
  await utimes(join(directory, 'a.js'), past, past);
  const { lines } = await migrate(directory, '--write');
  assert.equal(lines.length, 2);
  assert.deepEqual((await stat(join(directory, 'a.js'))).mtime, past);
});

test('reports files that it cannot read, and continues', async (t) => {
  const directory = await createProject(t, { 'package.json': '{', 'a.js': BEFORE });
  const { code, lines, stderr } = await migrate(
    directory,
    '--write',
    'missing.js',
    '/dev/null',
    '.',
  );
  assert.equal(code, 1);
  assert.match(
    stderr,
    /^missing\.js: ENOENT.*\n\/dev\/null: is neither a file nor a folder\n.*package\.json: .*JSON/,
  );
  assert.deepEqual(lines, [
    `a.js:1: ${LINE}`,
    '1 module name in 1 file rewritten, 0 lines to check.',
  ]);
  await assertContents(directory, { 'a.js': AFTER });
});

test('reports the same about one line once', async (t) => {
  const source =
    "require('sockjs'); require('sockjs'); a.close('1'); b.close('2');\nc.close('3');\n";
  const directory = await createProject(t, { 'a.js': source });
  const message =
    'If this closes a connection, its first argument is the code: use a number, such as 4000.';
  assert.deepEqual((await migrate(directory)).lines.slice(0, -1), [
    `a.js:1: ${LINE}`,
    `a.js:1: ${message}`,
    `a.js:2: ${message}`,
    '2 module names in 1 file to rewrite, 2 lines to check.',
  ]);
});

test('reports the session of connections in other files of a program that uses sockjs', async (t) => {
  const files = { 'a.js': 'conn._session.recv;\n' };
  const alone = await createProject(t, files);
  assert.equal((await migrate(alone)).lines.length, 1);
  const directory = await createProject(t, { ...files, 'b.js': AFTER });
  const [first] = (await migrate(directory)).lines;
  assert.equal(first, 'a.js:1: `_session.recv` is private. The drop-in has it: test this line.');
});

const OVERRIDES = [
  'To replace it there, add this and install again:',
  `  npm, in package.json:         "overrides": { "sockjs": "${DROP_IN}" }`,
  `  Yarn, in package.json:        "resolutions": { "sockjs": "${DROP_IN}" }`,
  `  pnpm, in pnpm-workspace.yaml: overrides: { "sockjs": "${DROP_IN}" }`,
];
const SUMMARY = '0 module names in 0 files to rewrite, 0 lines to check.';

const DEPENDENT = { dependencies: { sockjs: '^0.3.24' } };
const LOCK_FILES: Readonly<Record<string, readonly [name: string, text: string]>> = {
  npm: [
    'package-lock.json',
    JSON.stringify({
      lockfileVersion: 3,
      packages: {
        '': DEPENDENT,
        'packages/own': DEPENDENT,
        'node_modules/sockjs': { version: '0.3.24' },
        'node_modules/sockjs-client': { dependencies: { url: '1' } },
        'node_modules/a/node_modules/webpack-dev-server': DEPENDENT,
        'node_modules/webpack-dev-server': DEPENDENT,
        'node_modules/@own/name': DEPENDENT,
      },
    }),
  ],
  'npm 6': [
    'npm-shrinkwrap.json',
    JSON.stringify({
      dependencies: {
        sockjs: { version: '0.3.24' },
        'webpack-dev-server': { requires: { sockjs: '^0.3.24' } },
        a: { dependencies: { '@own/name': { requires: { sockjs: '*' } } } },
      },
    }),
  ],
  'Yarn 1': [
    'yarn.lock',
    `# yarn lockfile v1

"@own/name@^1.0.0":
  version "1.0.0"
  dependencies:
    sockjs "^0.3.24"

sockjs-client@^1.0.0:
  dependencies:
    sockjs-other "^1"

sockjs@^0.3.24:
  version "0.3.24"
  dependencies:
    uuid "^8.3.2"

webpack-dev-server@^5.0.0, webpack-dev-server@^5.1.0:
  version "5.2.0"
  dependencies:
    sockjs "^0.3.24"
`,
  ],
  'Yarn 4': [
    'yarn.lock',
    `__metadata:
  version: 8

"@own/name@npm:^1.0.0":
  dependencies:
    sockjs: "npm:^0.3.24"
  checksum: 10c0/1

"program@workspace:.":
  dependencies:
    sockjs: "npm:^0.3.24"

"webpack-dev-server@npm:^5.0.0":
  dependencies:
    sockjs: "npm:^0.3.24"
`,
  ],
  pnpm: [
    'pnpm-lock.yaml',
    `lockfileVersion: '9.0'

importers:

  .:
    dependencies:
      sockjs:
        specifier: ^0.3.24
        version: 0.3.24

snapshots:

  '@own/name@1.0.0':
    dependencies:
      sockjs: 0.3.24

  sockjs@0.3.24:
    dependencies:
      uuid: 8.3.2

  webpack-dev-server@5.2.0(webpack@5.0.0):
    dependencies:
      sockjs: 0.3.24
`,
  ],
};

for (const [manager, [name, text]] of Object.entries(LOCK_FILES)) {
  test(`prints the override for the dependents in a lock file of ${manager}`, async (t) => {
    const directory = await createProject(t, {
      [name]: text.replaceAll('\n', '\r\n'),
      'package.json': '{}',
    });
    assert.deepEqual((await migrate(directory)).lines, [
      `${name}: \`@own/name\` depends on \`sockjs\`.`,
      `${name}: \`webpack-dev-server\` depends on \`sockjs\`.`,
      ...OVERRIDES,
      SUMMARY,
    ]);
    if (manager === 'pnpm') return; // Its overrides are elsewhere: see the next test.
    for (const field of ['overrides', 'resolutions']) {
      await writeFile(
        join(directory, 'package.json'),
        JSON.stringify({ [field]: { sockjs: DROP_IN } }),
      );
      assert.deepEqual((await migrate(directory)).lines, [SUMMARY]);
    }
  });
}

test('a lock file of pnpm shows whether its dependents have the override', async (t) => {
  const [name, text] = LOCK_FILES['pnpm'] ?? assert.fail();
  // pnpm 11 and later ignore this field.
  const manifest = JSON.stringify({ resolutions: { sockjs: DROP_IN } });
  const directory = await createProject(t, { [name]: text, 'package.json': manifest });
  assert.deepEqual((await migrate(directory)).lines.slice(2), [...OVERRIDES, SUMMARY]);
  for (const before of ['', '/']) {
    const installed = text.replaceAll(
      'sockjs: 0.3.24',
      `sockjs: ${before}sockjs-server-drop-in@0.1.0`,
    );
    await writeFile(join(directory, name), installed);
    assert.deepEqual((await migrate(directory)).lines, [SUMMARY]);
  }
});

test('prints the override for known dependents without a lock file', async (t) => {
  const manifest = {
    devDependencies: { 'webpack-dev-server': '^5.0.0', 'sockjs-client': '^1.0.0' },
  };
  const directory = await createProject(t, { 'package.json': JSON.stringify(manifest) });
  assert.deepEqual((await migrate(directory)).lines, [
    'package.json: `webpack-dev-server` depends on `sockjs`.',
    ...OVERRIDES,
    SUMMARY,
  ]);
});

test('reports the dependencies of package.json', async (t) => {
  const manifest = '{\n"dependencies": {\n"sockjs": "^0.3.24",\n"@types/sockjs": "^0.3.36" } }';
  const directory = await createProject(t, { 'package.json': `\ufeff${manifest}` });
  assert.deepEqual((await migrate(directory)).lines, [
    `package.json:3: Remove the dependency \`sockjs\`. If a package such as primus requires it, replace it: "sockjs": "${DROP_IN}".`,
    'package.json:4: Remove `@types/sockjs`: sockjs-server has its own types.',
    '0 module names in 0 files to rewrite, 2 lines to check.',
  ]);
  await writeFile(
    join(directory, 'package.json'),
    `{ "dependencies": { "sockjs": "${DROP_IN}" } }`,
  );
  assert.deepEqual((await migrate(directory)).lines, [SUMMARY]);
});

for (const args of [['--rewrite'], ['--write=yes'], ['-w']]) {
  test(`\`migrate ${args.join(' ')}\` prints the usage and exits with 1`, async (t) => {
    const directory = await createProject(t, { 'a.js': BEFORE });
    const { code, stderr } = await migrate(directory, ...args);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^Usage: npx sockjs-server demo .*\n {7}npx sockjs-server migrate \[--write\] \[PATH\.\.\.\]\n$/,
    );
    await assertContents(directory, { 'a.js': BEFORE });
  });
}
