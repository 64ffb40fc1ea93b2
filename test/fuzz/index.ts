/**
 * `npm run fuzz -- --seconds 120 --seed abc`: exits with 0 unless an input violates a rule. A seed repeats the
 * generated inputs. Mutated inputs depend on timing too, so an input that violates a rule is printed and stored,
 * and `--replay FILE` plays it again.
 *
 * `npm run fuzz -- --slowest --seconds 120` searches for the inputs that take each parser the most time per byte, and
 * prints them. It exits with 1 if an input takes a parser longer than its limit.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { SeededRandom } from '../../testkit/random.ts';
import { formatCounts } from './counts.ts';
import { Fuzzer, type Report, type Violation } from './fuzzer.ts';
import type { Input } from './input.ts';
import { PARSERS } from './parsers.ts';
import { findSlowest } from './slowest.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    replay: { type: 'string' },
    slowest: { type: 'boolean', default: false },
  },
});

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

function printReport(report: Report): void {
  const total = Object.values(report.inputs).reduce((sum, count) => sum + count, 0);
  console.log(`inputs: ${total} (${formatCounts(report.inputs)})`);
  console.log(`statuses: ${formatCounts(report.statuses)}`);
  console.log(`refused: ${formatCounts(report.refused)}`);
  console.log(`opened: ${formatCounts(report.opened)}; closed: ${formatCounts(report.closed)}`);
  console.log(`branches reached: ${report.branches}; inputs kept for them: ${report.kept}`);
  console.log(`heap: ${mebibytes(report.heapBefore)} before, ${mebibytes(report.heapAfter)} after`);
  console.log(`longest block of the event loop: ${report.longestBlock.toFixed(0)} ms`);
}

function printViolation({ descriptions, input, batch }: Violation): void {
  for (const line of descriptions) console.log(line);
  if (batch.length === 0) return;
  const file = join(tmpdir(), 'fuzz-violation.json');
  writeFileSync(file, JSON.stringify(input === undefined ? batch : [input]));
  if (input === undefined) console.log('Several inputs together cause it.');
  else console.log(JSON.stringify(input, null, 2));
  console.log(`To repeat it: npm run fuzz -- --replay ${file}`);
}

async function fuzz(): Promise<void> {
  console.log(`seed: ${values.seed}, for ${values.seconds} s`);
  const end = performance.now() + Number(values.seconds) * 1000;
  const isEnough = (): boolean => performance.now() > end;
  const report = await new Fuzzer({ seed: values.seed, isEnough, isGuided: true }).run();
  printReport(report);
  if (report.violation === undefined) return;
  printViolation(report.violation);
  process.exit(1);
}

async function replay(file: string): Promise<void> {
  const inputs = JSON.parse(readFileSync(file, 'utf8')) as Input[];
  const fuzzer = new Fuzzer({ seed: '', isEnough: () => true, isGuided: false });
  const violations = await fuzzer.replay(inputs);
  for (const line of violations) console.log(line);
  process.exitCode = violations.length === 0 ? 0 : 1;
}

/** Searches each parser for the same time. */
function searchSlowest(): void {
  console.log(`seed: ${values.seed}, for ${values.seconds} s`);
  const random = new SeededRandom(values.seed);
  const start = performance.now();
  const share = (Number(values.seconds) * 1000) / PARSERS.length;
  const results = PARSERS.map((parser, index) => {
    const end = start + share * (index + 1);
    return findSlowest(parser, random.fork(parser.name), () => performance.now() > end);
  });
  for (const { parser, shape, nsPerByte, ms } of results) {
    const { bytes, ms: limit } = parser.limit;
    console.log(`${parser.name}: ${nsPerByte.toFixed(1)} ns per byte, ${JSON.stringify(shape)}`);
    if (ms <= limit) continue;
    console.log(`  too slow: ${ms.toFixed(1)} ms for ${bytes} bytes, limit ${limit} ms`);
    process.exitCode = 1;
  }
}

if (values.slowest) searchSlowest();
else await (values.replay === undefined ? fuzz() : replay(values.replay));
