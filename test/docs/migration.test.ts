/** docs/migration.md: its programs run, its commands exist, and its report is that of the command. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { migrateProgram } from '../../command/migrate/program.ts';
import { openOfficial } from '../../testkit/official-client.ts';
import { startServing } from '../package/project.ts';

const TEXT = readFileSync('docs/migration.md', 'utf8');

interface Manifest {
  readonly name: string;
  readonly version: string;
}

const { name, version } = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest;

function blocks(language: string): string[] {
  const pattern = new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\`$`, 'gm');
  return Array.from(TEXT.matchAll(pattern), ([, code = '']) => code);
}

// In the repository, so that the name of the package leads to it.
const folder = mkdtempSync(join(process.cwd(), 'test', 'migration-'));
after(() => rmSync(folder, { recursive: true }));

test('the codemod rewrites the calls as the comments say', () => {
  const [code = ''] = blocks('js');
  const { text } = migrateProgram(code);
  const calls = Array.from(text.matchAll(/= (require\(.*?\)); \/\/ becomes (.*)/g));
  assert.equal(calls.length, 2);
  for (const [, call, expected] of calls) assert.equal(call, expected);
  const file = join(folder, 'after.cjs');
  writeFileSync(file, `${text}console.log(typeof sockjs.createServer, typeof Session);`);
  const { stdout } = spawnSync(process.execPath, [file], { encoding: 'utf8' });
  assert.equal(stdout, 'function function\n');
});

test('the report has the lines of its table', () => {
  const rows = [...TEXT.matchAll(/^\| `(.*?)` \| (.*) \|$/gm)];
  assert.equal(rows.length, 6);
  for (const [, code, message] of rows) {
    const { notes, sessionUses } = migrateProgram(`require('sockjs');\n${code};`);
    assert.deepEqual([...notes, ...sessionUses], [{ line: 2, message }], code);
  }
});

test('the old and the new program serve the same server', async (t) => {
  const [code = ''] = blocks('ts');
  const file = join(folder, 'both.ts');
  writeFileSync(file, code);
  const config = join(folder, 'tsconfig.json');
  const tsc = join('node_modules', 'typescript', 'bin', 'tsc');
  writeFileSync(config, JSON.stringify({ extends: '../../tsconfig.json', include: ['*.ts'] }));
  const { stdout } = spawnSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' });
  assert.equal(stdout, '');

  const program = await startServing(file);
  t.after(() => program.stop());
  for (const prefix of ['before', 'after']) {
    for (const transports of ['websocket', 'xhr-streaming'] as const) {
      const url = `http://127.0.0.1:${program.port}/${prefix}`;
      const client = await openOfficial(t, url, { transports });
      client.send('hello');
      assert.equal(await client.messages.next(), 'hello');
      client.close();
    }
  }
});

test('the commands name this package and its subcommand', () => {
  const [install, migrate, ...others] = blocks('sh');
  assert.equal(install, `npm install ${name}\n`);
  assert.equal(migrate, `npx ${name} migrate\nnpx ${name} migrate --write\n`);
  assert.deepEqual(others, []);
});

test('the override has the version of the drop-in, which is that of this package', () => {
  const dropIn = JSON.parse(readFileSync('drop-in/package.json', 'utf8')) as Manifest;
  assert.deepEqual([dropIn.name, dropIn.version], ['sockjs-server-drop-in', version]);
  const [json = ''] = blocks('json');
  assert.deepEqual(JSON.parse(json), {
    overrides: { sockjs: `npm:sockjs-server-drop-in@^${version}` },
  });
  const named = TEXT.match(/npm:sockjs-server-drop-in@[^"]*/g) ?? [];
  assert.deepEqual(new Set(named), new Set([`npm:sockjs-server-drop-in@^${version}`]));
});
