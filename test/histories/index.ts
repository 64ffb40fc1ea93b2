/**
 * `npm run histories -- --count 10000 --seed 1`: checks histories of a cluster over the memory engine, in virtual time.
 * A history is repeated by its seed: `--seed 817 --count 1`, with `--log` to print all its events.
 *
 * `npm run histories -- --engine redis --minutes 5` (or `nats`): checks histories of nodes as processes over a real
 * engine. The seed determines their faults, but not the order of all events.
 *
 * It exits with 0 if all rules of cluster-rules.ts were kept, and prints the events that show a broken one.
 */
import { parseArgs } from 'node:util';
import { formatCounts } from '../fuzz/counts.ts';
import { ENGINES, type EngineName, isEngineName } from './engine-servers.ts';
import { formatEvent, formatViolations } from './format-log.ts';
import { HistoryTotals } from './history-totals.ts';
import { runProcessHistory } from './process-history.ts';
import { type HistoryResult, runHistory } from './simulation.ts';

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    log: { type: 'boolean', default: false },
    engine: { type: 'string', default: 'memory' },
    minutes: { type: 'string', default: '5' },
  },
});

const HISTORIES_PER_REPORT = 1000;
const MAX_PRINTED_VIOLATIONS = 5;
const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
/** Time with faults in a history of processes, which takes 32 s more. */
const MIN_FAULTY_MS = 6 * SECOND_MS;
const MAX_FAULTY_MS = 40 * SECOND_MS;

const totals = new HistoryTotals();
let current = Number(values.seed);

function printReport(): void {
  const { histories, violations, counts, faults } = totals;
  console.log(`${histories} histories, ${violations} with violations: ${formatCounts(counts)}`);
  console.log(`  faults: ${formatCounts(faults)}`);
}

function add(result: HistoryResult): void {
  totals.add(result);
  if (values.log) for (const event of result.events) console.log(formatEvent(event));
  if (result.violations.length > 0 && totals.violations <= MAX_PRINTED_VIOLATIONS)
    console.log(formatViolations(result));
}

async function runHistories(count: number): Promise<void> {
  for (const end = current + count; current < end; current += 1) {
    add(await runHistory(String(current)));
    if (totals.histories % HISTORIES_PER_REPORT === 0) printReport();
  }
}

async function runProcessHistories(engine: EngineName, end: number): Promise<void> {
  do {
    const faultyMs = Math.min(Math.max(end - performance.now(), MIN_FAULTY_MS), MAX_FAULTY_MS);
    add(await runProcessHistory(engine, String(current), faultyMs));
    printReport();
    current += 1;
  } while (performance.now() < end);
}

process.on('unhandledRejection', (error) => {
  console.log(`seed ${current}: a rejection that is not handled:`, error);
  process.exit(1);
});

const begin = performance.now();
const { engine } = values;
if (engine === 'memory') await runHistories(Number(values.count));
else if (isEngineName(engine))
  await runProcessHistories(engine, begin + Number(values.minutes) * MINUTE_MS);
else throw new TypeError(`--engine takes memory, ${ENGINES.join(' or ')}, not ${engine}.`);
printReport();
console.log(`${((performance.now() - begin) / SECOND_MS).toFixed(0)} s`);
process.exitCode = totals.violations === 0 ? 0 : 1;
