/** docs/settings.md is generated from the definitions of the settings, and the README agrees with them. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { SETTING_GROUPS, settingsPage } from '../../scripts/settings-page.ts';
import { SETTING_DEFINITIONS } from '../../src/api/setting-definitions.ts';

const SOURCE = readFileSync('src/api/setting-definitions.ts', 'utf8');
const DEFAULTS = new Map<string, unknown>(
  Object.entries(SETTING_DEFINITIONS).map(([name, { defaultValue }]) => [name, defaultValue]),
);

test('docs/settings.md is up to date: if not, run `npm run docs`', () => {
  assert.equal(readFileSync('docs/settings.md', 'utf8'), settingsPage());
});

test('every setting has one section of docs/settings.md, and there are no others', () => {
  const sections = Array.from(settingsPage().matchAll(/^### `(\w+)`$/gm), ([, name = '']) => name);
  assert.deepEqual(sections.toSorted(), [...DEFAULTS.keys()].toSorted());
});

test('the groups are those that readers look for', () => {
  assert.deepEqual(Object.keys(SETTING_GROUPS), [
    'Origins and authentication',
    'Proxies',
    'Timeouts',
    'Input limits',
    'Output limits and slow clients',
    'Sessions',
    'Groups and cluster',
    'Transports and compatibility',
    'Logging',
  ]);
});

for (const name of DEFAULTS.keys()) {
  test(`${name} without a doc comment is an error`, () => {
    const comment = new RegExp(String.raw`^ {2}/\*\*(?:(?!\*/)[^])*\*/\n(?= {2}${name}: )`, 'm');
    assert.match(SOURCE, comment);
    assert.throws(() => settingsPage(SOURCE.replace(comment, '')), {
      message: `The setting ${name} has no doc comment.`,
    });
  });
}

test('a section has the doc comment, the default with its unit, and the allowed values', () => {
  const page = settingsPage();
  for (const section of [
    '### `authorizeTimeout`\n\nTime `authorize` or an `allowedOrigins` function may take. Then the request gets 503.\n\n- Default: 10,000 milliseconds (10 s)\n- Allowed: a whole number of milliseconds from 1 to 86400000\n',
    '- Default: 2,097,152 bytes (2 MiB)\n',
    '- Default: 10,000 messages per second\n',
    "- Default: `'wait'`\n- Allowed: 'wait' or 'close'\n",
    '- Default: `[]`\n',
    '- Default: `true`\n',
    '- Default: none\n',
    '- Default: the console, for warnings and errors\n',
  ])
    assert.ok(page.includes(section), section);
});

/** Returns the names and the default cells of the settings table in the README. */
function readmeTable(): [name: string, cell: string][] {
  const [, section = ''] = readFileSync('README.md', 'utf8').split(/^## Settings$/m);
  const [table = ''] = section.split(/^## /m, 1);
  return Array.from(
    table.matchAll(/^\| `(\w+)` \| (.*?) ?\|/gm),
    ([, name = '', cell = '']): [string, string] => [name, cell],
  );
}

function formatDefault(value: unknown): string {
  if (typeof value === 'string') return `\`'${value}'\``;
  if (typeof value === 'boolean') return `\`${value}\``;
  if (typeof value === 'number') return String(value);
  return Array.isArray(value) ? '`[]`' : '';
}

test('the settings table of the README has existing names and their defaults', () => {
  const rows = readmeTable();
  assert.ok(rows.length >= 10);
  for (const [name, cell] of rows) {
    assert.ok(DEFAULTS.has(name), `there is no setting ${name}`);
    if (name === 'logger') assert.equal(cell, 'console');
    else
      assert.equal(cell.replaceAll(/(?<=\d),(?=\d)/g, ''), formatDefault(DEFAULTS.get(name)), name);
  }
});
