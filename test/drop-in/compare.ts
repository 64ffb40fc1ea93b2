/**
 * Prints each row of the behaviour table: "same", the documented difference, or both records.
 *
 *     npm run compare:sockjs                    all rows
 *     npm run compare:sockjs -- close prefix    rows whose title contains one of the words
 *     npm run compare:sockjs -- --records       the records of equal rows too
 */
import { BEHAVIOUR } from './behaviour/index.ts';
import { type Comparison, type Run, runsOf } from './comparison.ts';
import type { Observations } from './scenario.ts';

/** Runs at once. Most of their time is spent waiting. */
const CONCURRENCY = 4;

const args = process.argv.slice(2);
const showsRecords = args.includes('--records');
const words = args.filter((arg) => !arg.startsWith('--'));

function print(name: string, record: Observations): void {
  for (const [key, value] of Object.entries(record))
    console.log(`      ${name.padEnd(8)} ${key}: ${JSON.stringify(value)}`);
}

function report(title: string, { original, dropIn, shown, problems }: Comparison): void {
  const verdict = problems.length > 0 ? 'DIFFERENT' : shown.length > 0 ? 'documented' : 'same';
  const rows = [...new Set(shown)].map((row) => ` [${row}]`).join('');
  console.log(`  ${verdict.padEnd(10)} ${title}${rows}`);
  for (const problem of problems) console.log(`      ${problem}`);
  if (verdict === 'same' && !showsRecords) return;
  print('original', original);
  print('drop-in', dropIn);
}

const counts = { runs: 0, failures: 0 };

/** Runs some scenarios at once, and reports them in order. */
async function compare(runs: readonly Run[]): Promise<void> {
  const results = await Promise.allSettled(runs.map(({ run }) => run()));
  for (const [index, result] of results.entries()) {
    const title = runs[index]?.title ?? '';
    counts.runs += 1;
    if (result.status === 'fulfilled') {
      if (result.value.problems.length > 0) counts.failures += 1;
      report(title, result.value);
    } else {
      counts.failures += 1;
      console.log(`  FAILED     ${title}\n      ${String(result.reason)}`);
    }
  }
}

for (const [subject, scenarios] of Object.entries(BEHAVIOUR)) {
  const runs = scenarios
    .flatMap(runsOf)
    .filter(({ title }) => words.length === 0 || words.some((word) => title.includes(word)));
  if (runs.length > 0) console.log(subject);
  for (let at = 0; at < runs.length; at += CONCURRENCY)
    await compare(runs.slice(at, at + CONCURRENCY));
}
const result =
  counts.failures === 0 ? 'no difference that is not documented' : `${counts.failures} failed`;
console.log(`${counts.runs} runs: ${result}`);
process.exitCode = counts.failures === 0 ? 0 : 1;
