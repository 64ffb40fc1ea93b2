/** docs/troubleshooting.md agrees with the tests in test/troubleshooting/: each symptom has one that reproduces it. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { resolveSettings } from '../../src/api/settings.ts';
import { CLOSE_REASONS } from '../../src/base/close-reasons.ts';
import { REFUSALS } from '../../src/base/refusal.ts';

const TEXT = readFileSync('docs/troubleshooting.md', 'utf8');
const TESTS = new Map(
  globSync('test/troubleshooting/*.test.ts').map((file) => [file, readFileSync(file, 'utf8')]),
);

interface Section {
  readonly heading: string;
  readonly rows: readonly (readonly string[])[];
}

/** Sections with a table of symptoms. */
const SECTIONS: readonly Section[] = TEXT.split(/^## /m)
  .slice(1)
  .map((section) => {
    const [heading = ''] = section.split('\n', 1);
    const [, table = ''] = section.split('| symptom | cause | what to do |\n| --- | --- | --- |\n');
    const lines = table.split('\n').filter((line) => line.startsWith('| '));
    return { heading, rows: lines.map((line) => line.slice(2, -2).split(' | ')) };
  })
  .filter(({ rows }) => rows.length > 0);

test('the page has its tables', () => {
  assert.equal(SECTIONS.length, 4);
  assert.equal(SECTIONS.flatMap(({ rows }) => rows).length, 28);
  for (const row of SECTIONS.flatMap(({ rows }) => rows)) assert.equal(row.length, 3, row[0]);
});

for (const { heading, rows } of SECTIONS) {
  test(`every symptom of "${heading}" is reproduced by a test, and every test has a row`, () => {
    const [source, ...others] = [...TESTS.values()].filter((text) => text.includes(`"${heading}"`));
    assert.ok(source !== undefined && others.length === 0);
    const names = Array.from(source.matchAll(/^test\((['"])(.+?)\1, /gm), ([, , name]) => name);
    assert.deepEqual(
      names,
      rows.map(([symptom]) => symptom),
    );
  });
}

test('the settings that it names exist', () => {
  const named = [...TEXT.matchAll(/`([a-z]+[A-Z]\w+)`/g)].map(([, name = '']) => name);
  const others = ['onMessage', 'onOpen', 'onDrain', 'onClose', 'sessionId'];
  const known = new Set([...Object.keys(resolveSettings({})), ...others]);
  for (const name of named) assert.ok(known.has(name), name);
});

test('its close reasons and bodies are those of the code', () => {
  const reasons = new Map<string, number>(
    Object.values(CLOSE_REASONS).map(({ reason, code }) => [reason, code]),
  );
  const bodies = new Map<string, number>(
    Object.values(REFUSALS).map(({ text, status }) => [text, status]),
  );
  let count = 0;
  for (const [, code, reason = ''] of TEXT.matchAll(/`(\d{4}) ([^`]+)`/g)) {
    if (!reasons.has(reason)) continue; // One of sockjs-client.
    assert.equal(Number(code), reasons.get(reason), reason);
    count += 1;
  }
  for (const [, status, body = ''] of TEXT.matchAll(/(\d{3}) `([^`]+\.)`/g)) {
    assert.equal(Number(status), bodies.get(body), body);
    count += 1;
  }
  assert.ok(count >= 8, String(count));
});
