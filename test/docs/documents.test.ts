/** The files, headings and commands in the documents exist. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { renderMarkdown } from '../../site/markdown.ts';
import { PAGES } from '../../site/pages.ts';

const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  scripts: Readonly<Record<string, string>>;
};

function headingIds(file: string): string[] {
  return renderMarkdown(readFileSync(file, 'utf8'), file).headings.map(({ id }) => id);
}

for (const { source } of PAGES) {
  const text = readFileSync(source, 'utf8');

  test(`the links of ${source} lead to files and headings that exist`, () => {
    for (const [, link = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (link.startsWith('https:')) continue;
      const [, path = '', hash] = /^([^#]*)(?:#(.+))?$/.exec(link) ?? [];
      const file = path === '' ? source : join(dirname(source), path);
      assert.ok(existsSync(file), link);
      if (hash !== undefined) assert.ok(headingIds(file).includes(hash), link);
    }
  });

  test(`the commands of ${source} exist`, () => {
    for (const [, script, own] of text.matchAll(/npm (?:run ([a-z][a-z:-]*)|(start|test)\b)/g)) {
      const name = script ?? own ?? '';
      assert.ok(Object.hasOwn(scripts, name), `npm run ${name}`);
    }
  });

  test(`the TypeScript programs that ${source} starts exist`, () => {
    for (const [, file = ''] of text.matchAll(/\bnode (?:--\S+ )*([\w./-]+\.ts)\b/g))
      assert.ok(existsSync(file), file);
  });
}
