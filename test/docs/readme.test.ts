/** The programs of the documents compile, and the commands, links and figures of the README are correct. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const README = readFileSync('README.md', 'utf8');

/** Returns the TypeScript programs of a document. */
function programsOf(file: string): string[] {
  const blocks = readFileSync(file, 'utf8').matchAll(/^```ts\n([\s\S]*?)^```$/gm);
  return Array.from(blocks, ([, code = '']) => code);
}

const TSC = 'node_modules/typescript/bin/tsc';

test('every TypeScript program compiles under the strictest settings', (t) => {
  // The programs of testing.md have several files, and run in `import-matrix/`.
  const documents = globSync('docs/*.md').filter((file) => !file.endsWith('testing.md'));
  const programs = ['README.md', ...documents].flatMap(programsOf);
  assert.ok(programs.length >= 8);
  const folder = mkdtempSync(join(process.cwd(), 'test', 'readme-'));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const [index, code] of programs.entries()) writeFileSync(join(folder, `${index}.ts`), code);
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ extends: '../../tsconfig.json', include: ['*.ts'] }),
  );
  const { status, stdout } = spawnSync(process.execPath, [TSC, '-p', folder], { encoding: 'utf8' });
  assert.equal(status, 0, stdout);
});

test('every npm command in it exists', () => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as {
    scripts: Record<string, string>;
  };
  const named = [...README.matchAll(/npm (?:run ([a-z:-]+)|(start|test))/g)].map(
    ([, script, own]) => script ?? own ?? '',
  );
  assert.ok(named.length >= 8);
  for (const name of named) assert.ok(Object.hasOwn(scripts, name), `npm run ${name}`);
});

test('every file that it links to exists', () => {
  const links = [...README.matchAll(/\]\(([^)#:]+)\)/g)].map(([, path]) => path ?? '');
  assert.ok(links.length >= 3);
  for (const path of links) assert.ok(existsSync(path), path);
});

test('the figures are those of bench/RESULTS.md', () => {
  const results = readFileSync('bench/RESULTS.md', 'utf8');
  const rows = /^## Benchmarks$[^]*?^\| --- .*\n([^]*?)\n\n/m.exec(README)?.[1]?.split('\n') ?? [];
  assert.ok(rows.length >= 5);
  for (const row of rows) {
    const [, title = '', ...figures] = row.split('|').map((cell) => cell.trim());
    const measured = results.split('\n').find((line) => line.startsWith(`| ${title} |`));
    const [, , , , ratio = '', , sockjs, socketIo] =
      measured?.split('|').map((cell) => cell.trim()) ?? [];
    assert.deepEqual(figures.slice(0, 3), [/[\d.]+/.exec(ratio)?.[0], sockjs, socketIo], title);
  }
});
