/** Writes the pages of docs/ that are generated from the sources. A test fails when one of them is stale. */
import { writeFileSync } from 'node:fs';
import { sessionStatesPage } from './session-states-page.ts';
import { settingsPage } from './settings-page.ts';

const PAGES: Readonly<Record<string, () => string>> = {
  'session-states.md': sessionStatesPage,
  'settings.md': settingsPage,
};

for (const [file, createPage] of Object.entries(PAGES))
  writeFileSync(new URL(`../docs/${file}`, import.meta.url), createPage());
