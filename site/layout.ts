/** The template of all pages. */
import type { Document } from './markdown.ts';
import { GROUPS, type Page } from './pages.ts';

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}

function sectionList({ headings }: Document): string {
  const items = headings
    .filter(({ level }) => level === 2)
    .map(({ id, text }) => `<li><a href="#${id}">${escape(text)}</a></li>`);
  return items.length === 0 ? '' : `<ul>\n${items.join('\n')}\n</ul>`;
}

function navigation(current: Page, document: Document): string {
  const entry = (page: Page): string =>
    page === current
      ? `<li><a href="${page.file}" aria-current="page">${escape(page.label)}</a>${sectionList(document)}</li>`
      : `<li><a href="${page.file}">${escape(page.label)}</a></li>`;
  return GROUPS.map(
    ({ label, pages }) => `<h2>${escape(label)}</h2>\n<ul>\n${pages.map(entry).join('\n')}\n</ul>`,
  ).join('\n');
}

export function layOut(page: Page, document: Document): string {
  const name = 'sockjs-server';
  const title = page.file === 'index.html' ? name : `${page.label} · ${name}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'self'; img-src 'self'">
<title>${escape(title)}</title>
<link rel="stylesheet" href="style.css">
</head>
<body>
<a class="skip" href="#content">Skip to content</a>
<header><a href="index.html">${name}</a> <a href="#navigation">Contents</a></header>
<div class="columns">
<main id="content">
${document.html}</main>
<nav id="navigation" aria-label="Contents">
${navigation(page, document)}
</nav>
</div>
</body>
</html>
`;
}
