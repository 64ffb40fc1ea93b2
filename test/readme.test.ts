/** What the README says is so: its programs compile, its settings are the settings, its commands exist. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { resolveSettings } from '../src/api/settings.ts';

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

/** What a table of settings shows as the default of each. */
function tableOf(text: string): Map<string, string> {
  const rows = text.matchAll(/^\| `(\w+)` \| (.*?) ?\|/gm);
  return new Map(Array.from(rows, ([, name = '', quoteForLog = '']) => [name, quoteForLog]));
}

function shownAs(value: unknown): string {
  if (typeof value === 'string') return `\`'${value}'\``;
  if (typeof value === 'boolean') return `\`${value}\``;
  if (typeof value === 'number') return String(value);
  return Array.isArray(value) ? '`[]`' : '';
}

const DEFAULTS = new Map<string, unknown>(Object.entries(resolveSettings({})));
const SETTINGS = readFileSync('docs/settings.md', 'utf8');

test('docs/settings.md has every setting once, and no other', () => {
  assert.deepEqual([...tableOf(SETTINGS).keys()].toSorted(), [...DEFAULTS.keys()].toSorted());
});

for (const [file, text] of [
  ['README.md', README],
  ['docs/settings.md', SETTINGS],
] as const) {
  test(`${file} shows the defaults as they are`, () => {
    const quoteForLog = [...tableOf(text)].filter(([name]) => DEFAULTS.has(name));
    assert.ok(quoteForLog.length >= 10);
    for (const [name, value] of quoteForLog) {
      if (name === 'logger') continue; // The console, said in words.
      assert.equal(value.replaceAll(/(?<=\d) (?=\d)/g, ''), shownAs(DEFAULTS.get(name)), name);
    }
  });
}

test('every npm command that is named exists', () => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as {
    scripts: Record<string, string>;
  };
  const named = [...README.matchAll(/npm (?:run ([a-z:-]+)|(start|test))/g)].map(
    ([, script, own]) => script ?? own ?? '',
  );
  assert.ok(named.length >= 8);
  for (const name of named) assert.ok(Object.hasOwn(scripts, name), `npm run ${name}`);
});

test('every file that is linked exists', () => {
  const links = [...README.matchAll(/\]\(([^)#:]+)\)/g)].map(([, path]) => path ?? '');
  assert.ok(links.length >= 3);
  for (const path of links) assert.ok(existsSync(path), path);
});

test('what it costs is what was measured', () => {
  const results = readFileSync('bench/RESULTS.md', 'utf8');
  const rows =
    /^## What it costs$[^]*?^\| --- .*\n([^]*?)\n\n/m.exec(README)?.[1]?.split('\n') ?? [];
  assert.ok(rows.length >= 5);
  for (const row of rows) {
    const [, title = '', ...quoteForLog] = row.split('|').map((cell) => cell.trim());
    const measured = results.split('\n').find((line) => line.startsWith(`| ${title} |`));
    const [, , , , ratio = '', , sockjs, socketIo] =
      measured?.split('|').map((cell) => cell.trim()) ?? [];
    assert.deepEqual(quoteForLog.slice(0, 3), [/[\d.]+/.exec(ratio)?.[0], sockjs, socketIo], title);
  }
});
