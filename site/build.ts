/** Writes the site into a folder: all pages, the style sheet and the files that pages embed. */
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { layOut } from './layout.ts';
import { renderMarkdown } from './markdown.ts';
import { ASSETS, PAGES, type Page } from './pages.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const STYLE = 'site/style.css';

async function writePage(page: Page, folder: string): Promise<void> {
  const text = await readFile(join(ROOT, page.source), 'utf8');
  await writeFile(join(folder, page.file), layOut(page, renderMarkdown(text, page.source)));
}

/** @param folder its content is removed first */
export async function buildSite(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await Promise.all([
    ...PAGES.map((page) => writePage(page, folder)),
    ...[STYLE, ...ASSETS].map((file) => copyFile(join(ROOT, file), join(folder, basename(file)))),
  ]);
}
