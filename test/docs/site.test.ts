/** The documentation site: every document is a page, and every link has a target. */
import assert from 'node:assert/strict';
import { globSync, readFileSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { buildSite } from '../../site/build.ts';
import { renderMarkdown } from '../../site/markdown.ts';
import { PAGES } from '../../site/pages.ts';

const folder = await mkdtemp(join(tmpdir(), 'site-'));
after(() => rm(folder, { recursive: true }));
await buildSite(folder);

const FILES = readdirSync(folder);
const HTML = new Map(PAGES.map(({ file }) => [file, readFileSync(join(folder, file), 'utf8')]));

/** Values of all attributes with this name. */
function attributes(html: string, name: string): string[] {
  return Array.from(
    html.matchAll(new RegExp(` ${name}="([^"]*)"`, 'g')),
    ([, value]) => value ?? '',
  );
}

test('every document of the repository is a page', () => {
  const documents = globSync(['*.md', 'docs/*.md', '{bench,deploy,examples}/*.md']);
  assert.deepEqual(PAGES.map(({ source }) => source).toSorted(), documents.toSorted());
});

for (const [file, html] of HTML) {
  test(`${file} has one main heading, and each id once`, () => {
    assert.equal(html.match(/<h1/g)?.length, 1);
    const ids = attributes(html, 'id');
    assert.deepEqual(ids, [...new Set(ids)]);
  });

  test(`${file} links to all pages in its navigation, and marks itself`, () => {
    const [, navigation = ''] = /<nav[^>]*>([^]*)<\/nav>/.exec(html) ?? [];
    const links = new Set(attributes(navigation, 'href').filter((link) => !link.startsWith('#')));
    assert.deepEqual([...links], [...HTML.keys()]);
    assert.equal(html.match(/aria-current="page"/g)?.length, 1);
    assert.match(html, new RegExp(`href="${file}" aria-current="page"`));
  });

  test(`the links of ${file} lead to files and headings that exist`, () => {
    for (const link of [...attributes(html, 'href'), ...attributes(html, 'src')]) {
      if (/^https?:\/\//.test(link)) continue;
      const [, target = '', hash] = /^([^#]*)(?:#(.+))?$/.exec(link) ?? [];
      assert.ok(target === '' || FILES.includes(target), link);
      if (hash === undefined) continue;
      assert.ok(attributes(HTML.get(target || file) ?? '', 'id').includes(hash), link);
    }
  });
}

test('Markdown links lead to pages, and links to other files become text', () => {
  const text = '[a](settings.md#what-comes-in) [b](../deploy) [c](../test/x.ts) [d](https://a.com)';
  assert.equal(
    renderMarkdown(text, 'docs/errors.md').html,
    '<p><a href="settings.html#what-comes-in">a</a> <a href="deploy.html">b</a> c ' +
      '<a href="https://a.com">d</a></p>\n',
  );
});

test('headings with the same text get different anchors', () => {
  const { headings } = renderMarkdown('## What `a` does\n\n## What a does\n', 'README.md');
  assert.deepEqual(
    headings.map(({ id }) => id),
    ['what-a-does', 'what-a-does-1'],
  );
});

test('HTML in a document is escaped', () => {
  const { html } = renderMarkdown('a <script>alert(1)</script>', 'README.md');
  assert.doesNotMatch(html, /<script/);
});
