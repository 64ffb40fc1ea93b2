/** The drop-in behaves as npm `sockjs` does, but for the rows of the table "Differences" in docs/drop-in.md. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it, test } from 'node:test';
import { BEHAVIOUR } from './behaviour/index.ts';
import { problemsOf, runsOf } from './comparison.ts';

/** Runs at once. Most of their time is spent waiting, but those of faults start two processes each. */
const CONCURRENCY = 16;
const FAULTS_CONCURRENCY = 2;

const SCENARIOS = Object.values(BEHAVIOUR).flat();

/** Returns the first cells of the rows below the heading "Differences". */
function documentedRows(): string[] {
  const text = readFileSync('docs/drop-in.md', 'utf8');
  const [, section = ''] = text.split(/^## Differences$/m);
  const rows = [...section.matchAll(/^\| (.+?) \|/gm)].map(([, cell = '']) => cell);
  return rows.filter((cell) => cell !== 'behaviour' && !cell.startsWith('---'));
}

for (const [subject, scenarios] of Object.entries(BEHAVIOUR)) {
  const concurrency = subject === 'faults' ? FAULTS_CONCURRENCY : CONCURRENCY;
  describe(subject, { concurrency }, () => {
    for (const scenario of scenarios) {
      for (const { title, run } of runsOf(scenario))
        it(title, async () => {
          assert.deepEqual((await run()).problems, []);
        });
    }
  });
}

test('scenarios have different titles', () => {
  const titles = SCENARIOS.map(({ title }) => title);
  assert.deepEqual(titles.length, new Set(titles).size);
});

test('each documented difference is shown by a scenario, and each difference of a scenario is documented', () => {
  const shown = SCENARIOS.flatMap(({ differences = [] }) => differences.map(({ row }) => row));
  assert.deepEqual([...new Set(shown)].toSorted(), documentedRows().toSorted());
});

test('a difference that is not documented is a problem', () => {
  const found = problemsOf({ same: 1, other: 1, missing: 1 }, { same: 1, other: 2 }, []);
  assert.deepEqual(found, [
    'other of the original is 1, that of the drop-in 2',
    'missing of the original is 1, that of the drop-in "no observation"',
  ]);
});

test('a documented difference that has other values, or none, is a problem', () => {
  const row = { row: 'a row', original: { a: 1, b: 1, c: 1 }, dropIn: { a: 2, b: 2, c: 2 } };
  assert.deepEqual(problemsOf({ a: 1, b: 1, c: 0 }, { a: 2, b: 1, c: 2 }, [row]), [
    'b of the drop-in is 1, not 2 as documented',
    'c of the original is 0, not 1 as documented',
  ]);
  assert.deepEqual(
    problemsOf({ a: 1 }, { a: 1 }, [{ ...row, dropIn: { a: 1 }, original: { a: 1 } }]),
    ['a is documented as different, and is the same'],
  );
});
