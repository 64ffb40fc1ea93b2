/** What the README says is so: its programs compile, its settings are the settings, its commands exist. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { resolveSettings } from '../src/settings.ts';

const README = readFileSync('README.md', 'utf8');

interface Block {
  readonly language: string;
  readonly code: string;
}

const BLOCKS: readonly Block[] = Array.from(
  README.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm),
  ([, language = '', code = '']) => ({ language, code }),
);

const TSC = 'node_modules/typescript/bin/tsc';

test('every TypeScript program compiles under the strictest settings', (t) => {
  const programs = BLOCKS.filter(({ language }) => language === 'ts');
  assert.ok(programs.length >= 5);
  const folder = mkdtempSync(join(process.cwd(), 'test', 'readme-'));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const [index, { code }] of programs.entries())
    writeFileSync(join(folder, `${index}.ts`), code);
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ extends: '../../tsconfig.json', include: ['*.ts'] }),
  );
  const { status, stdout } = spawnSync(process.execPath, [TSC, '-p', folder], { encoding: 'utf8' });
  assert.equal(status, 0, stdout);
});

test('the table of settings has every setting with its default', () => {
  const rows = new Map(
    Array.from(README.matchAll(/^\| `(\w+)` \| (.*?) \|/gm), ([, name = '', shown = '']) => [
      name,
      shown,
    ]),
  );
  for (const [name, value] of Object.entries(resolveSettings({}))) {
    const shown = rows.get(name);
    assert.notEqual(shown, undefined, `${name} is not in the table`);
    if (typeof value === 'number') assert.equal(shown?.replaceAll(' ', ''), String(value), name);
    if (typeof value === 'boolean') assert.equal(shown, `\`${value}\``, name);
    if (Array.isArray(value)) assert.equal(shown, '`[]`', name);
  }
});

test('every npm command that is named exists', () => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as {
    scripts: Record<string, string>;
  };
  const named = [...README.matchAll(/npm (?:run )?(start|test|[a-z]+-server|bench)\b/g)].map(
    ([, name]) => name ?? '',
  );
  assert.ok(named.length >= 4);
  for (const name of named) assert.ok(Object.hasOwn(scripts, name), `npm run ${name}`);
});

test('every file that is linked exists', () => {
  const links = [...README.matchAll(/\]\(([^)#:]+)\)/g)].map(([, path]) => path ?? '');
  assert.ok(links.length >= 3);
  for (const path of links) assert.ok(existsSync(path), path);
});
