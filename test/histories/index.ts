/**
 * `npm run histories -- --count 10000 --seed 1`: checks histories of a cluster over the memory engine, in virtual time.
 * A history is repeated by its seed: `--seed 817 --count 1`, with `--log` to print all its events.
 *
 * It exits with 0 if all rules of cluster-rules.ts were kept, and prints the events that show a broken one.
 */
import { parseArgs } from 'node:util';
import { formatCounts } from '../fuzz/counts.ts';
import { formatEvent, formatViolations } from './format-log.ts';
import { HistoryTotals } from './history-totals.ts';
import { runHistory } from './simulation.ts';

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    log: { type: 'boolean', default: false },
  },
});

const HISTORIES_PER_REPORT = 1000;
const MAX_PRINTED_VIOLATIONS = 5;

const totals = new HistoryTotals();

function printReport(): void {
  const { histories, violations, counts, faults } = totals;
  console.log(`${histories} histories, ${violations} with violations: ${formatCounts(counts)}`);
  console.log(`  faults: ${formatCounts(faults)}`);
}

async function runHistories(first: number, count: number): Promise<void> {
  for (let seed = first; seed < first + count; seed += 1) {
    current = seed;
    const result = await runHistory(String(seed));
    totals.add(result);
    if (values.log) for (const event of result.events) console.log(formatEvent(event));
    if (result.violations.length > 0 && totals.violations <= MAX_PRINTED_VIOLATIONS)
      console.log(formatViolations(result));
    if (totals.histories % HISTORIES_PER_REPORT === 0) printReport();
  }
}

let current = 0;
process.on('unhandledRejection', (error) => {
  console.log(`seed ${current}: a rejection that is not handled:`, error);
  process.exit(1);
});
const begin = performance.now();
await runHistories(Number(values.seed), Number(values.count));
printReport();
console.log(`${((performance.now() - begin) / 1000).toFixed(0)} s`);
process.exitCode = totals.violations === 0 ? 0 : 1;
