/** References to PROTOCOL.md in comments name sections, and numbered rules, that it has. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { test } from 'node:test';

const QUOTED = String.raw`"([^"\n]+)"(?:, (\d+))?`;
/** `PROTOCOL "A"`, `PROTOCOL.md, "A"`, `PROTOCOL "A", 2` and `PROTOCOL "A" and "B"`. */
const REFERENCE = new RegExp(String.raw`PROTOCOL(?:\.md)?,? ${QUOTED}(?: and ${QUOTED})?`, 'g');

interface Reference {
  readonly file: string;
  readonly section: string;
  readonly rule: string | undefined;
}

/** The text of each section by its heading. */
function readSections(): Map<string, string> {
  const [, ...parts] = readFileSync('PROTOCOL.md', 'utf8').split(/^#{2,} /m);
  return new Map(
    parts.map((part) => {
      const end = part.indexOf('\n');
      return [part.slice(0, end), part.slice(end)];
    }),
  );
}

function referencesIn(file: string): Reference[] {
  // A comment may break a reference over two lines.
  const source = readFileSync(file, 'utf8').replaceAll(/\n\s*(?:\*|\/\/) /g, ' ');
  return Array.from(source.matchAll(REFERENCE)).flatMap(([, first, rule, second, secondRule]) =>
    [
      { file, section: first ?? '', rule },
      { file, section: second ?? '', rule: secondRule },
    ].filter(({ section }) => section !== ''),
  );
}

const SECTIONS = readSections();
const FILES = globSync('{src,test,testkit,e2e}/**/*.{ts,js}').filter(
  (file) => basename(file) !== basename(import.meta.filename),
);
const REFERENCES = FILES.flatMap(referencesIn);

test('the code refers to PROTOCOL.md', () => {
  assert.ok(REFERENCES.length >= 12, `${REFERENCES.length} references`);
});

for (const { file, section, rule } of REFERENCES) {
  test(`${file} refers to "${section}"${rule === undefined ? '' : `, ${rule}`}`, () => {
    const text = SECTIONS.get(section);
    assert.ok(text !== undefined, `PROTOCOL.md has no section "${section}"`);
    if (rule !== undefined)
      assert.match(text, new RegExp(`^${rule}\\. `, 'm'), `it has no rule ${rule}`);
  });
}
