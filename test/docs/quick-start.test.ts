/** Runs the first screen of the README as a new user would: pasted into a project made by `npm init -y`. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect } from '../../client/index.ts';
import { OfficialClient } from '../../testkit/official-client.ts';
import { Program, run, temporaryDirectory } from '../../testkit/process.ts';
import { within } from '../../testkit/until.ts';
import { ROOT, pack } from '../package/project.ts';

const FIRST_SCREEN = readFileSync('README.md', 'utf8').split('\n## ')[0] ?? '';

function block(language: string): string {
  const code = new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, 'm').exec(FIRST_SCREEN)?.[1];
  assert.ok(code !== undefined, `the first screen has a ${language} block`);
  return code;
}

/** Replaces the fixed port of the README, which may be in use. */
const ANY_PORT = [
  "server.listen(9999, () => console.log('Open http://localhost:9999'));",
  "server.listen(0, '127.0.0.1', () => console.log('port: ' + server.address().port));",
] as const;

test('the first screen works as pasted after npm init -y', { timeout: 120_000 }, async (t) => {
  const directory = await temporaryDirectory(t);
  const tarball = await pack(directory);
  await run('npm', ['init', '-y'], { cwd: directory, timeout: 60_000 });
  const [, , ...names] = block('sh').trim().split(' ');
  assert.deepEqual(names, ['sockjs-server']);
  const client = join(ROOT, 'node_modules', 'sockjs-client');
  const quietly = ['--prefer-offline', '--no-audit', '--no-fund', '--install-links=false'];
  await run('npm', ['install', ...quietly, tarball, client], { cwd: directory, timeout: 100_000 });
  assert.ok(block('js').includes(ANY_PORT[0]));
  await writeFile(join(directory, 'server.mjs'), block('js').replace(...ANY_PORT));
  await writeFile(join(directory, 'index.html'), block('html'));

  const program = new Program(process.execPath, ['server.mjs'], { cwd: directory });
  t.after(() => program.stop());
  const [, port = ''] = await program.prints(/port: (\d+)/);
  const url = `http://127.0.0.1:${port}`;

  const page = await fetch(url);
  assert.equal(page.headers.get('content-type'), 'text/html');
  assert.equal(await page.text(), block('html'));
  for (const [name, content] of [
    ['client.js', /export\s*\{[^}]*\bconnect\b/],
    ['sockjs.js', /sockjs-client/],
  ] as const) {
    const script = await fetch(`${url}/echo/${name}`);
    assert.equal(script.status, 200);
    assert.match(await script.text(), content);
  }

  const own = connect(`${url}/echo`);
  t.after(() => own.close());
  const echo = new Promise<string>((resolve) => {
    own.onmessage = ({ data }) => resolve(data);
  });
  own.send('Hello!');
  assert.equal(await within(echo, 'the echo'), 'Hello!');

  const official = new OfficialClient(`${url}/echo`);
  t.after(() => official.close());
  await official.opened();
  official.send('Hello!');
  assert.equal(await official.next(), 'Hello!');
});
