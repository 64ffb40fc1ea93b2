/** Markdown to HTML. Headings get the same anchors as on GitHub, and links lead to pages of the site. */
import { basename, dirname, posix } from 'node:path';
import GithubSlugger from 'github-slugger';
import MarkdownIt, { type Token } from 'markdown-it';
import { ASSETS, PAGES } from './pages.ts';

export interface Heading {
  readonly id: string;
  readonly level: number;
  readonly text: string;
}

export interface Document {
  readonly html: string;
  readonly headings: readonly Heading[];
}

const markdown = new MarkdownIt({ linkify: false, html: false });
const { rules } = markdown.renderer;

// Wide tables scroll without the page.
rules['table_open'] = () => '<div class="table" tabindex="0"><table>\n';
rules['table_close'] = () => '</table></div>\n';
rules['heading_close'] = (tokens, index) => {
  const token = tokens[index];
  if (token === undefined) return '';
  const { tag } = token;
  const id = attribute(token, 'id');
  return ` <a class="anchor" href="#${id}" aria-label="Link to this section">#</a></${tag}>\n`;
};

function textOf(tokens: readonly Token[]): string {
  return tokens.map(({ content }) => content).join('');
}

function addAnchors(tokens: readonly Token[]): Heading[] {
  const slugger = new GithubSlugger();
  const headings: Heading[] = [];
  for (const [index, token] of tokens.entries()) {
    const close = tokens[index + 2];
    if (token.type !== 'heading_open' || close === undefined) continue;
    const text = textOf(tokens[index + 1]?.children ?? []);
    const id = slugger.slug(text);
    token.attrSet('id', id);
    close.attrSet('id', id); // The rule above writes the anchor.
    headings.push({ id, level: Number(token.tag.slice(1)), text });
  }
  return headings;
}

/**
 * @param link as in the Markdown, relative to the document
 * @returns the link in the site; undefined for a file of the repository that the site does not have
 */
function linkInSite(link: string, source: string): string | undefined {
  if (/^(?:[a-z]+:|#)/i.test(link)) return link;
  const [path = '', hash] = link.split('#');
  const target = posix.join(dirname(source), path);
  if (ASSETS.includes(target)) return basename(target);
  const page = PAGES.find(
    (each) => each.source === target || each.source === `${target}/README.md`,
  );
  return page && page.file + (hash === undefined ? '' : `#${hash}`);
}

function attribute(token: Token, name: string): string {
  return String(token.attrGet(name) ?? '');
}

/** Rewrites the links of a paragraph. Links to files that the site does not have become plain text. */
function rewriteLinks(tokens: readonly Token[], source: string): void {
  let isDropped = false;
  for (const token of tokens) {
    if (token.type === 'image') {
      token.attrSet('src', linkInSite(attribute(token, 'src'), source) ?? '');
    } else if (token.type === 'link_open') {
      const link = linkInSite(attribute(token, 'href'), source);
      isDropped = link === undefined;
      token.hidden = isDropped;
      if (link !== undefined) token.attrSet('href', link);
    } else if (token.type === 'link_close') {
      token.hidden = isDropped;
    }
  }
}

/** @param source the path of the document, to which its links are relative */
export function renderMarkdown(text: string, source: string): Document {
  const env = {};
  const tokens = markdown.parse(text, env);
  const headings = addAnchors(tokens);
  for (const { children } of tokens) rewriteLinks(children ?? [], source);
  return { html: markdown.renderer.render(tokens, markdown.options, env), headings };
}
