/**
 * `npm run fuzz -- --seconds 120 --seed abc`: ends with 0 if nothing that a client can send has done any harm.
 * A seed repeats what is generated; what is mutated hangs on what was kept, and that on time as well. So what has
 * done harm is printed whole, and `--replay FILE` plays it again.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { listed } from './counts.ts';
import { Fuzzer, type Report, type Violation } from './fuzzer.ts';
import type { Input } from './input.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    replay: { type: 'string' },
  },
});

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

function print(report: Report): void {
  const total = Object.values(report.inputs).reduce((sum, count) => sum + count, 0);
  console.log(`inputs: ${total} (${listed(report.inputs)})`);
  console.log(`statuses: ${listed(report.statuses)}`);
  console.log(`refused: ${listed(report.refused)}`);
  console.log(`opened: ${listed(report.opened)}; ended: ${listed(report.closed)}`);
  console.log(`branches reached: ${report.branches}; inputs kept for them: ${report.kept}`);
  console.log(`heap: ${mebibytes(report.heapBefore)} before, ${mebibytes(report.heapAfter)} after`);
  console.log(`the event loop stood still for ${report.longestBlock.toFixed(0)} ms at most`);
}

function explain({ what, input, batch }: Violation): void {
  for (const line of what) console.log(line);
  if (batch.length === 0) return;
  const file = join(tmpdir(), 'fuzz-violation.json');
  writeFileSync(file, JSON.stringify(input === undefined ? batch : [input]));
  if (input === undefined) console.log('It takes several inputs at once.');
  else console.log(JSON.stringify(input, null, 2));
  console.log(`To see it again: npm run fuzz -- --replay ${file}`);
}

async function fuzz(): Promise<void> {
  console.log(`seed: ${values.seed}, for ${values.seconds} s`);
  const end = performance.now() + Number(values.seconds) * 1000;
  const isEnough = (): boolean => performance.now() > end;
  const report = await new Fuzzer({ seed: values.seed, isEnough, isGuided: true }).run();
  print(report);
  if (report.violation === undefined) return;
  explain(report.violation);
  process.exit(1);
}

async function replay(file: string): Promise<void> {
  const inputs = JSON.parse(readFileSync(file, 'utf8')) as Input[];
  const fuzzer = new Fuzzer({ seed: '', isEnough: () => true, isGuided: false });
  const violations = await fuzzer.replay(inputs);
  for (const line of violations) console.log(line);
  process.exitCode = violations.length === 0 ? 0 : 1;
}

await (values.replay === undefined ? fuzz() : replay(values.replay));
