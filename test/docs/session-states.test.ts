import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { sessionStatesPage } from '../../scripts/session-states-page.ts';

test('docs/session-states.md is up to date; else run `npm run docs`', () => {
  assert.equal(readFileSync('docs/session-states.md', 'utf8'), sessionStatesPage());
});
