/** The packed package in Node: `import` and `require` provide every public name, and each class once. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { ROOT } from '../test/package/project.ts';
import { ENTRIES, installation, runNode } from './installation.ts';

const installed = await installation();

/** Names that the source of an entry exports. */
async function namesOf(file: string): Promise<string[]> {
  // `dist/` mirrors `src/`, and `dist/client/` the folder `client/`.
  const inDist = file.replace('./dist/', '').replace(/\.js$/, '.ts');
  const source = inDist.startsWith('client/') ? inDist : `src/${inDist}`;
  const names = (await import(pathToFileURL(join(ROOT, source)).href)) as object;
  // Node imports a CommonJS module as its own default export.
  return Object.keys(names)
    .filter((name) => name !== 'default')
    .toSorted();
}

test('import and require provide every public name, and each class once', async () => {
  const expected: Record<string, string[]> = {};
  for (const [entry, files] of ENTRIES) expected[entry] = await namesOf(files.default);
  assert.ok(Object.values(expected).every((names) => names.length > 0));
  const folder = installed.folder('one copy', 'module', 'one-copy.mjs');
  const printed = await runNode(folder, 'one-copy.mjs', ...ENTRIES.keys());
  assert.deepEqual(JSON.parse(printed), expected);
});
