import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { PAGES } from '../scripts/docs.ts';

for (const [path, generate] of Object.entries(PAGES)) {
  test(`${path} is what \`npm run docs\` generates`, () => {
    assert.equal(readFileSync(path, 'utf8'), generate(), 'stale: run `npm run docs`');
  });
}
